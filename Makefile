# ngx_mpk_module
#
#   make              objs/ngx_http_mpk_module.so for the installed nginx
#   make NGINX_SRC=d  the same, for an nginx source tree (say it to install, too)
#   make install      copies it to nginx's modules folder (DESTDIR, MODULES_PATH)
#   make deps         installs what the targets below need of Debian's packages
#   make demo         a shop to try, on http://127.0.0.1:8080 (PORT=, ONCE=1)
#   make test         everything below, then "N passed, N failed"; JOBS= files at once (2)
#   make test-unit    core and the Redis protocol, without nginx
#   make fuzz         the fuzzers, SECONDS= each
#   make test-t       t/ on the installed nginx and a real Redis (REDIS_SERVER=path of another)
#   make test-asan    t/ on nginx built with AddressSanitizer and UBSan
#   make test-valgrind  the main files of t/ under valgrind
#   make soak         SECONDS= of random faults under AddressSanitizer and UBSan
#   make bench        what a reveal costs
#   make tags         for editors; make compile_commands.json for clangd
#   make clean

SHELL      = /bin/bash
SECONDS   ?= 60
FUZZ_TEST  = 20
SOAK       = $(if $(filter command environment,$(firstword $(origin SECONDS))),$(SECONDS),600)
PORT      ?= 8080

NGINX_SRC ?= /usr/share/nginx/src
MODULE     = objs/ngx_http_mpk_module.so
ASAN       = objs/asan

SOURCES    = $(wildcard ngx_mpk_module/*/*.[ch] ngx_mpk_module/http/*/*.[ch])
CONFIGURED = config Makefile objs/nginx-source \
             $(wildcard ngx_mpk_module/*/ ngx_mpk_module/http/*/ ngx_mpk_module/pages/*)

CORE       = $(wildcard ngx_mpk_module/core/*.c) \
             ngx_mpk_module/redis/ngx_mpk_redis_resp.c \
             ngx_mpk_module/redis/ngx_mpk_redis_slots.c
UNITS      = $(patsubst lua-free-tests/unit/%.c,objs/unit/%, \
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
UNIT_LIBS  = -lcrypto -lyajl -lhiredis

DEPS_BUILD = nginx nginx-dev gcc make libhiredis-dev libyajl-dev libssl-dev \
             redis-server openssl curl jq
DEPS_TEST  = $(DEPS_BUILD) clang libclang-rt-dev llvm valgrind dpkg-dev \
             perl libio-socket-ssl-perl libpcre2-dev zlib1g-dev iproute2 \
             procps strace python3 chromium nodejs prometheus $(if $(shell command -v npm),,npm)
DEPS_BENCH = $(DEPS_BUILD) wrk perl


.PHONY: default build install demo test test-unit test-fuzz fuzz test-t \
        test-asan test-valgrind soak bench clean deps deps-build deps-test \
        deps-bench FORCE

default: deps-build
	@$(MAKE) --no-print-directory build

build: $(MODULE)


deps: deps-test deps-bench

deps-build:
	@misc/deps $(DEPS_BUILD)

deps-test:
	@misc/deps $(DEPS_TEST)

deps-bench:
	@misc/deps $(DEPS_BENCH)


# Which nginx objs/nginx was configured for: another one is configured anew.

objs/nginx-source: FORCE
	@mkdir -p objs
	@test -f $(NGINX_SRC)/src/core/nginx.h \
	    || { echo "$(NGINX_SRC) has no nginx: install nginx-dev or set NGINX_SRC" >&2; exit 1; }
	@now="$(abspath $(NGINX_SRC)) $$(dpkg-query -W -f '$${Version}' nginx-dev 2>/dev/null)"; \
	    echo "$$now" | cmp -s - $@ || echo "$$now" > $@

# nginx's own configure, in a folder of links, since it writes where it runs

objs/nginx/objs/Makefile: $(CONFIGURED)
	@rm -rf objs/nginx && mkdir -p objs/nginx
	@for f in $(abspath $(NGINX_SRC))/*; do \
	    case $${f##*/} in objs|Makefile) ;; *) ln -s $$f objs/nginx/ ;; esac \
	done
	cd objs/nginx && NGX_CONF_FLAGS=(--with-compat) \
	    && if [ -f conf_flags ]; then . ./conf_flags; fi \
	    && ./configure "$${NGX_CONF_FLAGS[@]}" \
	        --with-cc-opt='-g -O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fno-semantic-interposition -fno-plt $(WARNINGS) -Wno-unused-parameter' \
	        --with-ld-opt='-Wl,-z,relro -Wl,-z,now -Wl,-Bsymbolic-functions -fPIC' \
	        --add-dynamic-module=$(CURDIR) > configure.log \
	    || { tail -20 configure.log; exit 1; }

$(MODULE): objs/nginx/objs/Makefile $(SOURCES)
	@$(MAKE) --no-print-directory -C objs/nginx -f objs/Makefile modules \
	    > objs/build.log 2>&1 || { grep -B5 -A5 -E '(error|warning):' objs/build.log || tail -20 objs/build.log; exit 1; }
	cp objs/nginx/objs/ngx_http_mpk_module.so $@

MODULES_PATH ?= $(shell PATH='$(PATH)' nginx -V 2>&1 \
                    | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')

install: build
	@test -n "$(MODULES_PATH)" || { echo 'nginx -V names no modules folder: set MODULES_PATH' >&2; exit 1; }
	install -D -m 644 $(MODULE) $(DESTDIR)$(MODULES_PATH)/ngx_http_mpk_module.so


demo: deps-build
	@$(MAKE) --no-print-directory build
	@PORT=$(PORT) ONCE=$(ONCE) bin/demo


test: deps-test
	@rm -f objs/tally
	-@$(MAKE) --no-print-directory -j2 test-unit
	-@$(MAKE) --no-print-directory -j2 test-fuzz
	-@$(MAKE) --no-print-directory test-t
	-@$(MAKE) --no-print-directory test-asan
	-@$(MAKE) --no-print-directory test-valgrind
	@misc/run-tests --sum

UNIT_OBJS  = $(patsubst ngx_mpk_module/%.c,objs/unit/%.o,$(CORE))
FUZZ_OBJS  = $(patsubst ngx_mpk_module/%.c,objs/fuzz/%.o,$(CORE))
HEADERS    = $(wildcard ngx_mpk_module/core/*.h ngx_mpk_module/redis/*.h) \
             lua-free-tests/unit/test.h

UNIT_CC    = gcc $(UNIT_FLAGS) -fsanitize=address,undefined \
             -fno-sanitize-recover=all
FUZZ_CC    = clang $(UNIT_FLAGS) -fno-sanitize-recover=all

objs/unit/%.o: ngx_mpk_module/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(UNIT_CC) -c $< -o $@

objs/unit/test_%: lua-free-tests/unit/test_%.c $(UNIT_OBJS) $(HEADERS)
	$(UNIT_CC) $< $(UNIT_OBJS) $(UNIT_LIBS) -o $@

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
	@MPK_MODULE=$(CURDIR)/$(MODULE) MPK_ANSWERS=$(CURDIR)/objs/answers.ndjson \
	    misc/run-tests t t/*.t

test-asan:
	@misc/nginx-asan $(ASAN)
	@MPK_NGINX=$(CURDIR)/$(ASAN)/nginx MPK_SANITIZED=1 \
	    MPK_MODULE=$(CURDIR)/$(ASAN)/ngx_http_mpk_module.so \
	    misc/run-tests asan t/*.t

test-valgrind: build
	@MPK_VALGRIND=1 MPK_MODULE=$(CURDIR)/$(MODULE) \
	    misc/run-tests valgrind t/reveal.t t/api.t

soak: deps-test
	@misc/nginx-asan $(ASAN)
	@MPK_NGINX=$(CURDIR)/$(ASAN)/nginx MPK_SANITIZED=1 \
	    MPK_MODULE=$(CURDIR)/$(ASAN)/ngx_http_mpk_module.so \
	    MPK_SECONDS=$(SOAK) prove -v -It/lib t/soak.t

bench: deps-bench
	@$(MAKE) --no-print-directory build
	@MPK_MODULE=$(CURDIR)/$(MODULE) bench/run

# for editors

tags: FORCE
	@misc/deps universal-ctags
	ctags -R --languages=C,Perl --langmap=Perl:+.t ngx_mpk_module lua-free-tests t \
	    $(NGINX_SRC)/src/core $(NGINX_SRC)/src/event $(NGINX_SRC)/src/http $(NGINX_SRC)/src/os

compile_commands.json: objs/nginx/objs/Makefile FORCE
	@{ $(MAKE) -nwB $(UNITS) $(FUZZERS); $(MAKE) -nwB -C objs/nginx -f objs/Makefile modules; } \
	    2>/dev/null | misc/compile-commands > $@.new && mv $@.new $@

clean:
	rm -rf objs tags compile_commands.json
