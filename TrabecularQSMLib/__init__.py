"""TrabecularQSM: susceptibility, R2* and fat fraction of trabecular bone from multi-echo gradient-echo scans."""

__version__ = "0.1.0"
