"""Chapter "What lifts it, honestly": what each training option gains, and how it is chosen."""
