# ngx_mpk_module
#
#   make              objs/ngx_http_mpk_module.so for the installed nginx
#   make NGINX=f NGINX_SRC=d  the same, for another nginx and the source it is of; CC=, CC_OPT=
#                     and LD_OPT= for its compiler, OBJS= for another folder than objs
#   make debug        objs/debug/ngx_http_mpk_module.so: -O0, debug log lines, assertions
#   make tools        objs/mpk-verify, which verifies all orders in a Redis
#   make install      copies it to that nginx's modules folder (DESTDIR, MODULES_PATH)
#   make deps         installs what the targets below need of Debian's packages
#   make demo         a shop to try, on http://127.0.0.1:8080 (PORT=, ONCE=1)
#   make test         all tests, then "N passed, N failed"; JOBS= files at once
#   make test-all     the same, with the files of FAULTS on both builds of nginx
#   make test-unit    core and the Redis protocol, without nginx
#   make fuzz         the fuzzers, SECONDS= each
#   make test-t       t/ on the installed nginx and a real Redis (REDIS_SERVER=path of another)
#   make test-t T=t/reveal.t    only the files that T names; so with test-asan
#   make test-asan    t/ on nginx built with AddressSanitizer and UBSan
#   make test-valgrind  the main files of t/ under valgrind
#   make test-builds  the two that follow at once
#   make test-versions  other releases of nginx: SUITES= of Debian, TREES= of sources
#   make model        docs/model/commit.pml, the protocol of a commit, by spin
#   make test-compilers  clang, _FORTIFY_SOURCE=3, 32 bits and aarch64
#   make soak         SECONDS= of random faults under AddressSanitizer and UBSan
#   make bench        what a reveal costs
#   make cov          which lines of the module the tests reach
#   make tags         for editors; make compile_commands.json for clangd
#   make clean

SHELL      = /bin/bash
SECONDS   ?= 60
FUZZ_TEST  = 20
SOAK       = $(if $(filter command environment,$(firstword $(origin SECONDS))),$(SECONDS),600)
PORT      ?= 8080

OBJS      ?= objs
MODULE     = $(OBJS)/ngx_http_mpk_module.so
ASAN       = objs/asan

SOURCES    = $(wildcard ngx_mpk_module/*/*.[ch] ngx_mpk_module/http/*/*.[ch])
CONFIGURED = config Makefile misc/nginx-flags $(OBJS)/flags \
             $(wildcard ngx_mpk_module/*/ ngx_mpk_module/http/*/ ngx_mpk_module/pages/*)

CORE       = $(wildcard ngx_mpk_module/core/*.c) \
             ngx_mpk_module/redis/ngx_mpk_redis_resp.c \
             ngx_mpk_module/redis/ngx_mpk_redis_slots.c
UNIT      ?= objs/unit
UNITS      = $(patsubst lua-free-tests/unit/%.c,$(UNIT)/%, \
                        $(wildcard lua-free-tests/unit/test_*.c))
FUZZERS    = $(patsubst lua-free-tests/fuzz/%.c,objs/fuzz/%, \
                        $(wildcard lua-free-tests/fuzz/fuzz_*.c))

# An ordinary user's PATH does not have nginx, nor what makes networks.

export PATH := $(PATH):/usr/sbin:/usr/local/sbin:/sbin

.SECONDARY:

WARNINGS   = -Wall -Wextra -Wshadow -Werror
UNIT_FLAGS = -std=c11 -g -O1 $(WARNINGS) -fno-omit-frame-pointer \
             -Ingx_mpk_module/core -Ingx_mpk_module/redis \
             -Ilua-free-tests/unit
UNIT_LIBS  = -lcrypto -lyajl -lidn2 -lhiredis

# a tree or an nginx that is named comes from somewhere else

DEPS_BUILD = $(if $(NGINX)$(NGINX_SRC),,nginx nginx-dev) gcc make \
             libhiredis-dev libyajl-dev libidn2-dev libssl-dev libpcre2-dev zlib1g-dev
DEPS_DEMO  = $(DEPS_BUILD) redis-server openssl curl jq
DEPS_TEST  = $(DEPS_DEMO) nginx nginx-dev clang libclang-rt-dev llvm valgrind dpkg-dev \
             perl libio-socket-ssl-perl iproute2 \
             libnginx-mod-http-brotli-filter procps strace python3 spin busybox gcc-aarch64-linux-gnu qemu-user-static \
             chromium-headless-shell nodejs prometheus $(if $(shell command -v npm),,npm)
DEPS_BENCH = $(DEPS_DEMO) wrk perl


.PHONY: default build debug tools install demo test test-all test-apart units test-unit test-fuzz fuzz \
        test-t test-asan test-valgrind test-builds test-versions test-compilers model soak bench cov \
        clean deps deps-build deps-demo deps-test deps-bench FORCE

default: deps-build
	@$(MAKE) --no-print-directory build

build: $(MODULE)

# An nginx without --with-debug loads this, too: of the headers' structures NGX_DEBUG changes
# ngx_event_conf_t only, which the module does not use.  Distributions set NGX_DEBUG
# themselves, so assertions have a macro of their own.

debug: deps-build
	@$(MAKE) --no-print-directory build OBJS=objs/debug \
	    CC_OPT='-O0 -DNGX_DEBUG=1 -DNGX_MPK_ASSERT=1 $(CC_OPT)'


deps: deps-test deps-bench

deps-build:
	@misc/deps $(DEPS_BUILD)

deps-demo:
	@misc/deps $(DEPS_DEMO)

deps-test:
	@misc/deps $(DEPS_TEST)

deps-bench:
	@misc/deps $(DEPS_BENCH)


# What nginx's configure is called with: it runs anew only when that has changed.

$(OBJS)/flags: FORCE
	@mkdir -p $(OBJS)
	@$(if $(filter undefined,$(origin NGINX)),,NGINX='$(NGINX)') NGINX_SRC='$(NGINX_SRC)' WARNINGS='$(WARNINGS)' \
	    CC='$(if $(filter default undefined,$(origin CC)),,$(CC))' \
	    CC_OPT='$(CC_OPT)' LD_OPT='$(LD_OPT)' misc/nginx-flags > $@.new
	@cmp -s $@.new $@ || mv $@.new $@

# nginx's own configure, in a folder of links, since it writes where it runs

$(OBJS)/nginx/objs/Makefile: $(CONFIGURED)
	@rm -rf $(OBJS)/nginx && mkdir -p $(OBJS)/nginx
	@sed -n 's/^# //p' $(OBJS)/flags
	@for f in "$$(sed -n 's/^# source //p' $(OBJS)/flags)"/*; do \
	    case $${f##*/} in objs|Makefile) ;; *) ln -s "$$f" $(OBJS)/nginx/ ;; esac \
	done
	@mapfile -t flags < <(grep -v '^#' $(OBJS)/flags) && cd $(OBJS)/nginx \
	    && $$([ -f configure ] && echo ./configure || echo auto/configure) \
	        "$${flags[@]}" --add-dynamic-module=$(CURDIR) > configure.log 2>&1 \
	    || { grep -A5 'error:' configure.log || tail -20 configure.log; exit 1; } >&2

$(MODULE): $(OBJS)/nginx/objs/Makefile $(SOURCES)
	@$(MAKE) --no-print-directory -C $(OBJS)/nginx -f objs/Makefile modules > $(OBJS)/build.log 2>&1 \
	    || { grep -B5 -A5 -E '(error|warning):' $(OBJS)/build.log || tail -20 $(OBJS)/build.log; exit 1; } >&2
	@nginx=$$(sed -n 's/^# nginx //p' $(OBJS)/flags); \
	    [ -z "$$nginx" ] || misc/nginx-loads "$$nginx" $(OBJS)/nginx/objs/ngx_http_mpk_module.so
	cp $(OBJS)/nginx/objs/ngx_http_mpk_module.so $@

# what ops run beside nginx

TOOLS     ?= objs

tools: deps-build $(TOOLS)/mpk-verify

$(TOOLS)/mpk-verify: $(wildcard tools/*.[ch]) $(wildcard ngx_mpk_module/core/*.[ch])
	@mkdir -p $(TOOLS)
	$(or $(CC),gcc) -std=gnu11 -O2 -g $(WARNINGS) -fstack-protector-strong -Ingx_mpk_module/core $(TOOLS_OPT) \
	    tools/*.c ngx_mpk_module/core/*.c -lssl -lcrypto -lyajl -lidn2 -lhiredis -o $@

# into the modules folder of the nginx that it was built for

install: build
	@path=$$(sed -n 's/^--modules-path=//p' $(OBJS)/flags); \
	    [ -n "$$path" ] || ! grep -q '^# nginx .' $(OBJS)/flags \
	        || path=$$(sed -n 's/^--prefix=//p' $(OBJS)/flags | grep . || echo /usr/local/nginx)/modules; \
	    path=$${MODULES_PATH:-$$path}; \
	    [ -n "$$path" ] || { echo 'set NGINX to the nginx that is to load the module, or MODULES_PATH' >&2; exit 1; }; \
	    set -x; install -D -m 644 $(MODULE) "$(DESTDIR)$$path/ngx_http_mpk_module.so"


demo: deps-demo
	@$(MAKE) --no-print-directory build
	@PORT=$(PORT) ONCE=$(ONCE) bin/demo


# Files that inject faults, and whose bounds on time are only that nothing hangs, find under
# the sanitizers what they find without; "make test" runs them there alone.

FAULTS     = $(patsubst %,t/%.t,clock cluster_fake faults_fake faults_ops invariants keyring partition)

test test-all: deps-test
	@rm -f objs/tally
	-@$(MAKE) --no-print-directory -j2 test-unit
	-@nice -n 19 $(MAKE) --no-print-directory test-apart > objs/apart.log 2>&1 & \
	    $(MAKE) --no-print-directory test-t $(if $(filter test,$@),SKIP='$(FAULTS)'); \
	    $(MAKE) --no-print-directory test-asan; \
	    $(MAKE) --no-print-directory test-valgrind; \
	    wait; cat objs/apart.log
	@misc/run-tests --sum

# What computes beside what waits.

test-apart:
	-@$(MAKE) --no-print-directory -j2 test-fuzz
	-@$(MAKE) --no-print-directory test-builds

UNIT_OBJS  = $(patsubst ngx_mpk_module/%.c,$(UNIT)/%.o,$(CORE))
FUZZ_OBJS  = $(patsubst ngx_mpk_module/%.c,objs/fuzz/%.o,$(CORE))
HEADERS    = $(wildcard ngx_mpk_module/core/*.h ngx_mpk_module/redis/*.h) \
             $(wildcard lua-free-tests/unit/*.h)

UNIT_CC    = gcc $(UNIT_FLAGS) -fsanitize=address,undefined \
             -fno-sanitize-recover=all
FUZZ_CC    = clang $(UNIT_FLAGS) -fno-sanitize-recover=all

$(UNIT)/%.o: ngx_mpk_module/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(UNIT_CC) -c $< -o $@

$(UNIT)/test_%: lua-free-tests/unit/test_%.c $(UNIT_OBJS) $(HEADERS)
	$(UNIT_CC) $< $(UNIT_OBJS) $(UNIT_LIBS) -o $@

units: $(UNITS)

test-unit: $(UNITS)
	@misc/run-tests unit $(UNITS)

objs/fuzz/%.o: ngx_mpk_module/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(FUZZ_CC) -fsanitize=fuzzer-no-link,address,undefined -c $< -o $@

objs/fuzz/fuzz_%: lua-free-tests/fuzz/fuzz_%.c $(FUZZ_OBJS) $(HEADERS)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined $< $(FUZZ_OBJS) \
	    $(UNIT_LIBS) -o $@

test-fuzz: $(FUZZERS)
	@FUZZ_SECONDS=$(FUZZ_TEST) misc/run-tests fuzz lua-free-tests/fuzz/run.t

fuzz: deps-test
	@$(MAKE) --no-print-directory -j2 $(FUZZERS)
	@FUZZ_SECONDS=$(SECONDS) misc/run-tests fuzz lua-free-tests/fuzz/run.t

test-t: build
	@rm -f objs/answers.ndjson
	@MPK_MODULE=$(CURDIR)/$(MODULE) $(if $(T),,MPK_ANSWERS=$(CURDIR)/objs/answers.ndjson) \
	    misc/run-tests t $(or $(T),$(filter-out $(SKIP),$(wildcard t/*.t)))

# nginx and the module, both with AddressSanitizer and UBSan; assertions in the module

ASAN_CC    = -O1 -fsanitize=address,undefined -fno-omit-frame-pointer \
             -fno-sanitize=nonnull-attribute,alignment,pointer-overflow \
             -U_FORTIFY_SOURCE -DNGX_MPK_ASSERT=1 -Wno-error
ASAN_BUILD = nginx=$$(misc/nginx-build asan) && $(MAKE) --no-print-directory build \
                 OBJS=$(ASAN) NGINX=$$nginx/nginx NGINX_SRC=$$nginx/source \
                 CC_OPT='$(ASAN_CC)' LD_OPT='-fsanitize=address,undefined'
ASAN_ENV   = MPK_NGINX=$$nginx/nginx MPK_SANITIZED=1 \
                 MPK_MODULE=$(CURDIR)/$(ASAN)/ngx_http_mpk_module.so

test-asan:
	@$(ASAN_BUILD) && $(ASAN_ENV) misc/run-tests asan $(or $(T),t/*.t)

test-valgrind: build
	@MPK_VALGRIND=1 MPK_MODULE=$(CURDIR)/$(MODULE) \
	    misc/run-tests valgrind t/reveal.t t/api.t

# Debian 11, 12, 13 and what comes; the installed release is left to the other targets

SUITES    ?= bullseye bookworm trixie sid

test-builds:
	@SUITES='$(SUITES)' TREES='$(TREES)' misc/run-tests builds t/build/*.t

test-versions:
	@SUITES='$(SUITES)' TREES='$(TREES)' misc/run-tests versions t/build/versions.t t/build/static.t

model: deps-test
	@misc/run-tests model t/build/model.t

test-compilers:
	@misc/run-tests compilers t/build/compilers.t

soak: deps-test
	@$(ASAN_BUILD) && $(ASAN_ENV) MPK_SECONDS=$(SOAK) prove -v -It/lib t/soak.t

bench: deps-bench
	@$(MAKE) --no-print-directory build
	@MPK_MODULE=$(CURDIR)/$(MODULE) bench/run

# Which lines run: the module as it is configured, compiled once more for gcov, and all
# tests but those that reach nothing more.  A worker that is killed leaves no counts.

COV        = objs/cov
COV_SKIP   = $(patsubst %,t/%.t,browser demo docs invariants netsplit soak 99-openapi)

cov: deps-test
	@$(MAKE) --no-print-directory build
	@rm -rf $(COV) && mkdir -p $(COV) && cp -a objs/nginx $(COV)/nginx && find $(COV) -name '*.o' -delete
	@$(MAKE) --no-print-directory -j2 -C $(COV)/nginx -f objs/Makefile modules \
	    CFLAGS='-g -O0 -fPIC --coverage' LINK='$(CC) --coverage' > $(COV)/build.log 2>&1 || { tail -20 $(COV)/build.log; exit 1; }
	@cp $(COV)/nginx/objs/ngx_http_mpk_module.so $(COV)/
	-@$(MAKE) --no-print-directory -j2 test-unit UNIT=$(COV)/unit UNIT_CC='gcc $(UNIT_FLAGS) -O0 --coverage'
	-@MPK_MODULE=$(CURDIR)/$(COV)/ngx_http_mpk_module.so misc/run-tests cov $(or $(T),$(filter-out $(COV_SKIP),$(wildcard t/*.t)))
	@misc/coverage $(COV)

# for editors

tags: objs/nginx/objs/Makefile FORCE
	@misc/deps universal-ctags
	ctags -R --languages=C,Perl --langmap=C:+.h,Perl:+.t --kinds-C=+p ngx_mpk_module lua-free-tests t \
	    $(addprefix objs/nginx/src/,core event http os)

compile_commands.json: objs/nginx/objs/Makefile FORCE
	@{ $(MAKE) -nwB $(UNITS) $(FUZZERS); $(MAKE) -nwB -C objs/nginx -f objs/Makefile modules; } \
	    2>/dev/null | misc/compile-commands > $@.new && mv $@.new $@

clean:
	rm -rf objs tags compile_commands.json
