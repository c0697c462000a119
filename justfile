# What is done often. `just` lists it.
default:
    @just --list

# Everything that CI does
ci:
    bash .ci/run

# Format and lint
check:
    git ls-files -z '*.rs' | xargs -0 rustfmt --check
    cargo clippy --locked --all-targets -- -D warnings

# Format every file; `cargo fmt` does not see the step kinds, a macro declares them
format:
    git ls-files -z '*.rs' | xargs -0 rustfmt

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
