"""The native files of an environment, a wheel or a folder."""
