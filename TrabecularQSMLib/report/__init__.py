"""Reports: one HTML page of a case and one of a cohort, each a single file with its pictures inside."""
