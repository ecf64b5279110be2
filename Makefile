# Short-hands. What is built, and how, stands in CMakeLists.txt.
PREFIX ?= /usr/local
DIR ?= /usr/include
export DESTDIR

all:
	@scripts/requirements build
	@scripts/build release

check:
	@scripts/requirements check
	@scripts/check

check-every-instruction:
	@scripts/requirements check
	@scripts/check every-instruction

check-long:
	@scripts/requirements check
	@scripts/check long

check-machines:
	@scripts/requirements machines
	@scripts/machines --all

coverage:
	@scripts/requirements coverage
	@scripts/coverage

fuzz:
	@scripts/requirements fuzz
	@scripts/fuzz $(or $(SECONDS),60)

# SECONDS=n; PROCESSES=n, or FACTOR=n for so many on each processor; SEED=n.
soak:
	@scripts/requirements check
	@scripts/build check --quiet --target soak
	@build/check/tests/soak/soak --seconds $(or $(SECONDS),60) \
		$(PROCESSES:%=--processes %) $(FACTOR:%=--factor %) \
		$(SEED:%=--seed %)

demo:
	@scripts/requirements demo
	@scripts/build release --quiet
	@build/release/examples/demo '$(DIR)'

bench:
	@scripts/requirements bench
	@scripts/build release --quiet
	@cmake --build --preset release --target run-bench

install:
	@scripts/requirements install
	@scripts/build release --quiet -DCMAKE_INSTALL_PREFIX='$(PREFIX)'
	@cmake --install build/release
	@test -n '$(DESTDIR)' || ldconfig 2>/dev/null || true

clean:
	@rm -rf build

.PHONY: all check check-every-instruction check-long check-machines coverage fuzz soak demo bench install clean
