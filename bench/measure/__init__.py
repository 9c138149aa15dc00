"""What bench/run is made of: setup, one module a section, report."""
