# The protocol of un-sharing, shootdown and freeing as a model, checked by spin in every order of steps (docs/testing.md). `make spin` does it with one more call.

.PHONY: test-spin spin
test-spin:
	@tests/spin/run

spin:
	@tests/spin/run --long

TESTS += test-spin
