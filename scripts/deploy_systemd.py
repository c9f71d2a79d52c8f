def register(t):
    pass
