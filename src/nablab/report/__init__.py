"""What people read: one view of a comparison, drawn in a terminal, as HTML, as a notebook, as tables."""
