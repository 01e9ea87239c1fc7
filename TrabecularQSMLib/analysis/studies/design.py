"""Designs of planned studies and what is usual of them; numpy is not needed to ask for these."""

# What is compared: two groups of as many subjects each, or two sessions of the same subjects.
GROUPS, CHANGE = "groups", "change"
DESIGNS = (GROUPS, CHANGE)
# Probability to find what is there, and to find what is not.
POWER, ALPHA = 0.8, 0.05
