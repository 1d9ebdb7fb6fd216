"""Programs that the doctor runs inside probe containers; they import nothing of ours."""
