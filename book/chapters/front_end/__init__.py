"""Chapter "The CNN front end and alignment": filters, two clocks, and what pace does."""
