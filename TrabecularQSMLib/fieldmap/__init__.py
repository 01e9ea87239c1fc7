"""From echoes to field map: water–fat separation, neighborhood step, unwrapping."""
