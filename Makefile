# What people type. Each target is a few commands that can be run by hand as well; `make help` lists them.
#
#   SPEC=FILE             the topology (topology.toml); its files go to OUT
#   SCALE="cli=2 wor=4"   other numbers of replicas than the topology's; `make scale wor=6` will do as well
#   NAME=wor              the component that `update` replaces
#   FAULTS=kill,pause,cut what happens under `verify`
#   TARGET=swarm          deploy to a Swarm (this engine is its manager), or with docker alone: TARGET=script;
#                         render for TARGET=kubernetes
#   NODES="ssh://b"       engines of a Swarm's other nodes, which are handed the images
#   CLIENT_WAIT=60        seconds that `deploy` waits for the clients to end

# down, ps, logs, scale, verify, update and purge without SPEC act on what was deployed last.
DEPLOYED ?= build/deployed
ifndef SPEC
ifneq (,$(filter down ps logs scale clients verify update purge,$(MAKECMDGOALS)))
-include $(DEPLOYED)
endif
endif
SPEC ?= topology.toml
TARGET ?= compose
below := $(if $(filter-out compose,$(TARGET)),/$(TARGET))
# Not every shell expands the ~ of SPEC=~/demo/topology.toml.
override SPEC := $(patsubst ~/%,$(HOME)/%,$(SPEC))
ifeq ($(notdir $(SPEC)),topology.toml)
OUT ?= $(patsubst ./%,%,$(dir $(SPEC))generated$(below))
else
OUT ?= build/$(basename $(notdir $(SPEC)))$(below)
endif

# `make scale wor=6` is as good as SCALE="wor=6": names of components are in lower case, and our own variables are not.
ifndef SCALE
SCALE := $(if $(MAKEOVERRIDES),$(shell printf '%s\n' $(MAKEOVERRIDES) | grep -xE '[a-z0-9-]+=[0-9]+'))
endif

CLIENT_WAIT ?= 60
SOAK ?= 600

BUILT := $(or $(CARGO_TARGET_DIR),target)
ifdef CBWGEN
cbwgen := # a generator that somebody has built already
else
# Not optimised: a fresh clone has it in a minute, `make test` needs it so as well, and a lint takes milliseconds all the same.
CBWGEN := $(BUILT)/debug/cbwgen
cbwgen := cbwgen
endif
ifeq ($(TARGET),kubernetes)
ifneq (,$(filter deploy down ps logs scale,$(MAKECMDGOALS)))
$(error clusters belong to kubectl: kubectl apply -k $(OUT), see README.md)
endif
endif
COMPOSE = docker compose -f $(OUT)/docker-compose.yml

# The containers write the bind-mounted folders as their owner: the calling user, or 10001 when that is root.
ifneq (0,$(shell id -u))
export CBW_UID ?= $(shell id -u)
export CBW_GID ?= $(shell id -g)
endif

# Names of the components that run on, end by themselves (clients), or need which static binaries.
long-running = $(shell $(CBWGEN) plan $(SPEC) --list long-running)
one-shot = $(shell $(CBWGEN) plan $(SPEC) --list one-shot)
static = $(shell $(CBWGEN) plan $(SPEC) --list static)
# --scale for those of $(1) alone: Compose refuses it for a service that is not brought up by the same command.
scale-of = $(foreach s,$(SCALE),$(if $(filter $(call name-of,$(s)),$(1)),--scale $(s)))
name-of = $(firstword $(subst =, ,$(1)))
# A verb of Compose, or $(2) of what does the same for another target.
act = $(if $(filter compose,$(TARGET)),$(COMPOSE) $(1),$(call other,$(2)))
other = $(if $(filter script,$(TARGET)),CLIENT_WAIT=$(CLIENT_WAIT) $(OUT)/deploy.sh $(1) $(SCALE),\
  LONG_RUNNING='$(long-running)' ONE_SHOT='$(one-shot)' \
  INSTANCES='$(shell $(CBWGEN) plan $(SPEC) --list instances)' SCALE='$(SCALE)' NODES='$(NODES)' CLIENT_WAIT=$(CLIENT_WAIT) \
  deploy/swarm $(1) $(OUT) $(shell $(CBWGEN) plan $(SPEC) --list project))
# The components of $(1) that SCALE names.
scaled = $(filter $(foreach s,$(SCALE),$(call name-of,$(s))),$(1))

.NOTPARALLEL:
.PHONY: help run build test lint render deploy down ps logs scale verify update purge bench soak clean cbwgen cargo docker static clients programs

help: ## this list
	@echo 'make TARGET [SPEC=examples/cbw.toml] [SCALE="cli=2 wor=4"]'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

run: programs render ## run the topology as local processes, without Docker, and prove that it does the right thing
	@$(CBWGEN) run $(SPEC) $(SCALE:%=--scale %) --verify

build: cargo ## all programs, optimised
	cargo build --release --workspace

test: cargo ## all tests; those on real Node.js, Python and Docker where they are
	@if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --workspace && cargo test -q --doc --workspace; \
	 else cargo test --workspace; fi
	@CBWGEN=$(CBWGEN) tests/suites

lint: $(cbwgen) ## judge the topology, as deployed with SCALE
	@$(CBWGEN) lint $(SPEC) --target $(TARGET) $(SCALE:%=--scale %)

render: $(cbwgen) ## write the Compose file (or what TARGET runs) and the Dockerfiles
	@$(CBWGEN) render $(SPEC) --target $(TARGET) --out $(OUT)

deploy: docker lint render static ## build the images, start all, wait until healthy and the clients have ended
	@$(CBWGEN) prepare $(SPEC)
	@mkdir -p $(dir $(DEPLOYED)) && printf 'SPEC := %s\nOUT := %s\nTARGET := %s\n' '$(SPEC)' '$(OUT)' '$(TARGET)' >$(DEPLOYED)
ifeq ($(TARGET),compose)
	$(COMPOSE) build -q
	$(COMPOSE) up -d --wait --remove-orphans $(call scale-of,$(long-running)) $(long-running)
	@$(MAKE) --no-print-directory clients
else
	@$(call other,up)
endif

down: docker ## stop all and remove the containers; volumes and the log stay
	$(call act,down,down)

ps: $(cbwgen) ## what runs: addresses, health, what the brokers do
	@$(CBWGEN) status $(SPEC)

verify: $(cbwgen) ## put load through it, and faults: does it do the right thing? FAULTS=kill,pause,cut
	@$(CBWGEN) verify $(SPEC) $(SCALE:%=--scale %) $(FAULTS:%=--faults %)

logs: docker ## what the containers print, until Ctrl-C
	@$(call act,logs -f,logs)

scale: docker lint ## other numbers of replicas, while it runs: make scale wor=6
	$(if $(SCALE),,$(error which component? make scale wor=6))
ifeq ($(TARGET),compose)
	$(if $(call scaled,$(long-running)),$(COMPOSE) up -d --no-deps --no-recreate --wait \
	  $(call scale-of,$(long-running)) $(call scaled,$(long-running)))
	@$(MAKE) --no-print-directory clients one-shot='$(call scaled,$(one-shot))'
else
	@$(call other,scale)
endif

update: docker render static ## replace one component by a new build, while it runs: NAME=wor
	$(if $(NAME),,$(error which component? make update NAME=wor))
	@$(CBWGEN) update $(NAME) $(SPEC)

project = $(shell sed -n 's/^name: "\(.*\)"/\1/p' $(OUT)/docker-compose.yml)
own-images = docker images --filter label=org.cbwgen.topology=$(project) --filter reference='$(project)-*'
purge: docker ## take away containers, volumes and images of this project, after listing them; CONFIRM=yes does not ask
	@[ -n "$(project)" ] || { echo "there is no $(OUT)/docker-compose.yml: nothing of ours is known" >&2; exit 1; }
	@echo "containers, volumes and images of $(project):"
	@docker ps -a --filter label=com.docker.compose.project=$(project) --format '  container {{.Names}}'
	@docker volume ls --filter label=com.docker.compose.project=$(project) --format '  volume {{.Name}}'
	@$(own-images) --format '  image {{.Repository}}:{{.Tag}}'
	@[ "$(CONFIRM)" = yes ] || { printf 'remove them? bind-mounted folders, as the log, stay [y/N] '; read answer && [ "$$answer" = y ]; } || \
	  { echo "nothing was removed" >&2; exit 1; }
	@$(COMPOSE) down --volumes --remove-orphans
	@$(own-images) --format '{{.Repository}}:{{.Tag}}' | xargs -r docker rmi >/dev/null

bench: cargo ## measure generator and services
	@bench/run

soak: cargo ## SOAK=600 seconds of load and faults, then the account
	@bench/soak $(SOAK)

clean: ## remove what was built here; never volumes, logs or what runs
	rm -rf build generated/bin $(OUT)/bin
	cargo clean
	@! docker info >/dev/null 2>&1 || docker image prune -af --filter label=org.cbwgen.topology

# ---- what the targets above need ----

cargo:
	@command -v cargo >/dev/null || { echo "needs cargo: install Rust, https://rustup.rs" >&2; exit 1; }
	@command -v g++ >/dev/null || { echo "needs g++ to build libzmq: sudo apt-get install g++" >&2; exit 1; }

docker:
	@{ [ $(TARGET) != compose ] || docker compose version; } >/dev/null 2>&1 && docker info >/dev/null 2>&1 || { \
	  echo "needs Docker with Compose, and none answers; \`make render\` and \`make lint\` work without" >&2; exit 1; }

cbwgen:
	@command -v cargo >/dev/null || { echo "needs cargo: install Rust, https://rustup.rs" >&2; exit 1; }
	@cargo build -q -p cbwgen

programs: cargo
	@cargo build -q -p cbwgen -p cbw-services --bins

# The images hold nothing but these binaries, so they are linked statically.
static: $(cbwgen)
	@[ -z "$(static)" ] || { $(MAKE) --no-print-directory cargo; \
	  export RUSTFLAGS="-C target-feature=+crt-static"; host=$$(rustc -vV | sed -n 's/^host: //p'); \
	  cargo build -q --release --target $$host -p cbw-services $(static:%=--bin %) && mkdir -p $(OUT)/bin && \
	  cd $(BUILT)/$$host/release && cp $(static) $(abspath $(OUT))/bin/; }

clients:
	@[ -z "$(one-shot)" ] || { $(COMPOSE) up -d --no-deps $(call scale-of,$(one-shot)) $(one-shot) && \
	  ids=$$($(COMPOSE) ps -aq $(one-shot)) && { timeout $(CLIENT_WAIT) docker wait $$ids >/dev/null || true; } && \
	  docker inspect -f '{{.Name}} {{if .State.Running}}still runs{{else}}ended with exit code {{.State.ExitCode}}{{end}}' $$ids && \
	  ! docker inspect -f '{{.State.ExitCode}}' $$ids | grep -qvx 0; }
