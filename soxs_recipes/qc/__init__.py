"""Quality control: ranges, plots and reports."""
