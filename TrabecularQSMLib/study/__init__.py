"""What commands do with files, for one subject or many: read, compute, and give rows and notes to write or show."""
