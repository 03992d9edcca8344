"""The self-checks of the labs' exercises: one module a lab, `register` to find them by."""
