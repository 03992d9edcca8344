"""What Python users and the command line call. `nablab` itself names all of it; import from there."""
