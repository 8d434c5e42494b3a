"""The command line, one file a verb. Each verb is imported only when it is called, so that `tocsin --help` is instant."""
