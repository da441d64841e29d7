NAME = "rail"
