import time
def test_x(tiny_models):
    print(tiny_models)
