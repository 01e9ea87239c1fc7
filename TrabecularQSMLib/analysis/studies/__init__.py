"""Statistics of studies: repeatability, change, groups, power, normal ranges; one file each."""
