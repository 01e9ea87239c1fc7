"""From maps and registered images to numbers about bone."""
