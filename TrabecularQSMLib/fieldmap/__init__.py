"""From echoes to field map: water–fat separation, neighbourhood step, unwrapping."""
