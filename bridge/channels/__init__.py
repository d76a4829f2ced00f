"""Channel plugins: one file each, all behind the seam in `api`."""
