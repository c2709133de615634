"""The heart and the lungs in exertion: from rates and saturations to what a test, a rest or a day shows of them."""
