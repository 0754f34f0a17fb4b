"""State machines: the server against naive models, in process and on a clock wound by hand."""
