# Thin: each target calls CMake's presets. What is built lands in build/PRESET.
#   make run [DATA=dir] [PORT=9092] [FILE=server.properties]
#   make test    make check    make bench    make format    make docs
SHELL := /bin/bash
JOBS := $(shell nproc)
DATA ?= ./data
PORT ?= 9092
FILE ?=
STAMPS := build/stamps
SOURCES := base io net replication engine cli server bench tests

.PHONY: run test check soak bench format docs build-release clean

# Beside a FILE only what was given on the command line is said; it outweighs the file.
says = $(or $(if $(FILE),,yes),$(filter command line,$(origin $(1))))

run: build-release
	@exec build/release/millrace serve $(FILE) \
	  $(if $(call says,DATA),--override log.dirs=$(DATA)) \
	  $(if $(call says,PORT),--override listeners=PLAINTEXT://127.0.0.1:$(PORT))

# Asking dpkg takes longer than starting the broker, so it is asked once per version of the script.
$(STAMPS)/%: packaging/dependencies.sh
	@packaging/dependencies.sh $*
	@mkdir -p $(STAMPS) && touch $@

build/%/build.ninja: | $(STAMPS)/build
	@cmake --preset $* >$(STAMPS)/$*.log 2>&1 || { cat $(STAMPS)/$*.log; exit 1; }

build-release: build/release/build.ninja
	@ninja -C build/release -j$(JOBS) --quiet millrace

test: $(STAMPS)/test build/dev/build.ninja
	@ninja -C build/dev -j$(JOBS) --quiet
	@ctest --test-dir build/dev -j$(JOBS) -LE long --output-on-failure

# What crosses shards, for ThreadSanitizer; everything else lives on one.
TSAN_TESTS := io_test io_allocation_test net_sockets_test net_shards_test
# A broker built for it ends with its first report, which fails what its clients do.
TSAN_BROKER := TSAN_OPTIONS=halt_on_error=1
# For a night: header by header, rounds of power cuts, groups beside Apache Kafka itself.
SOAK_TESTS := headers_alone|power_cut_long|large_group_long|group_clients_of_kafka|group_tools_of_kafka|group_commands_of_kafka

# What takes longer: everything under AddressSanitizer and UBSan, what crosses shards and a broker with clients under
# ThreadSanitizer, thousands of simulated lives of a node, real processes that are killed and starved, and every foreign client.
check: $(STAMPS)/test build/dev/build.ninja build/asan/build.ninja build/tsan/build.ninja
	@ninja -C build/asan -j$(JOBS) --quiet
	@ctest --test-dir build/asan -j$(JOBS) -LE 'long|bench' --output-on-failure
	@ninja -C build/tsan -j$(JOBS) --quiet $(TSAN_TESTS) millrace
	@ctest --test-dir build/tsan -R '^($(subst $() ,|,$(strip $(TSAN_TESTS))))$$' --output-on-failure
	@ninja -C build/dev -j$(JOBS) --quiet
	@$(TSAN_BROKER) tests/compat/suite.py --start millrace --binary build/tsan/millrace --parts traps,kcat,librdkafka
	@$(TSAN_BROKER) tests/system/kill9_loop.py --binary build/tsan/millrace --kills 3
	@$(TSAN_BROKER) tests/system/kill9_groups.py --binary build/tsan/millrace --kills 3
	@ctest --test-dir build/dev -j$(JOBS) -L long -E '^($(SOAK_TESTS))$$' --output-on-failure

# Everything there is, for a night.
soak: check
	@ctest --test-dir build/dev -j1 -L long -R '^($(SOAK_TESTS))$$' --output-on-failure

bench: $(STAMPS)/bench build/release/build.ninja
	@ninja -C build/release -j$(JOBS) --quiet
	bench/compare $(BENCH)

format: $(STAMPS)/build
	@find $(SOURCES) -name '*.h' -o -name '*.cc' | xargs clang-format-19 -i

docs: build/release/build.ninja
	@ninja -C build/release -j$(JOBS) --quiet millrace_docs
	@build/release/server/millrace_docs --rewrite

clean:
	@rm -rf build
