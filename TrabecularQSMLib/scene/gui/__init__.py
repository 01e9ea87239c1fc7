"""What the modules' panels share. Imported inside the application only: it needs Qt and the parameter nodes."""
