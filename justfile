# What is done often. `just` lists it.
default:
    @just --list

# Everything that CI does
ci:
    bash .ci/run

# Format and lint
check:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings

# All tests, or the named lanes
test *LANES:
    ./test {{LANES}}

# The demo on real parts
demo *OPTIONS:
    ./demo {{OPTIONS}}

# The figures of the README
bench:
    cargo bench --locked --bench engine

# Accept changed snapshots
bless:
    cargo insta accept
