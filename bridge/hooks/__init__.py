"""Hook plugins: one file each, all behind the seam in `api`, run in order by `chain`."""
