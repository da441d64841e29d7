"""What PyInstaller is told, in its words."""
