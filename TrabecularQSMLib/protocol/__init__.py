"""What a protocol tells before anybody is scanned: `assess` has all of it, each part a file of its own.

`bounds` has the standard deviations by noise, `swaps` the fields that are taken for each other, `bias` what bone and
voxel size do to the fit, `region` the error of a region's χ, `train` a better echo train, `subjects` how many to scan,
`chain` the whole way on simulated bone, `sweep` what conditions do to it, and `remarks` what is said beside.
"""
