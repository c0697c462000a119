# shellcheck shell=bash
# Puts in place what the system lacks; sourced by ./demo and ./test. The brew half is written from the formulae's documentation and
# has not been tried on a Mac.

# The packages that are still to be installed, for the package manager that is here.
apt_packages=()
brew_packages=()
brew_casks=()

lacks() { ! command -v "$1" > /dev/null 2>&1; }

need() { # need APT_PACKAGES BREW_FORMULAE
  local package
  for package in $1; do apt_packages+=("$package"); done
  for package in $2; do brew_packages+=("$package"); done
}

has_java() {
  local java version
  for java in "${JAVA_HOME:-/nonexistent}/bin/java" java /opt/homebrew/opt/openjdk@17/bin/java /usr/local/opt/openjdk@17/bin/java; do
    version=$("$java" -version 2>&1 | sed -n 's/^.* version "\([0-9]*\).*/\1/p') || continue
    if [ -n "$version" ] && [ "$version" -ge 17 ]; then return 0; fi
  done
  return 1
}

has_postgres() {
  local initdb
  if ! lacks initdb; then return 0; fi
  for initdb in /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /opt/homebrew/opt/postgresql@*/bin/initdb /usr/local/opt/postgresql@*/bin/initdb; do
    if [ -x "$initdb" ]; then return 0; fi
  done
  return 1
}

has_zlib() { echo '#include <zlib.h>' | cc -E - > /dev/null 2>&1; }

has_openssl() { ! lacks pkg-config && { pkg-config --exists 'openssl >= 1.1.1' || [ -d /opt/homebrew/opt/openssl@3 ] || [ -d /usr/local/opt/openssl@3 ]; }; }

has_chromium() { ! lacks chromedriver && { ! lacks chromium || ! lacks chromium-browser || [ -d /Applications/Chromium.app ]; }; }

look_for_needs() { # look_for_needs demo|tests
  has_java || need JAVA openjdk@17
  if lacks mvn; then need maven maven; fi
  has_postgres || need postgresql postgresql@17
  if lacks prometheus; then need prometheus prometheus; fi
  if lacks cc || lacks c++; then need "gcc g++ libc6-dev" ""; fi
  if lacks make; then need make ""; fi
  has_openssl || need libssl-dev openssl@3
  if lacks pkg-config; then need pkg-config pkgconf; fi
  if lacks cc || ! has_zlib; then need zlib1g-dev ""; fi
  if [ "$1" = tests ]; then
    if lacks ps; then need procps ""; fi
    if ! has_chromium; then
      need "chromium chromium-driver" ""
      brew_casks+=(chromium chromedriver)
    fi
  fi
}

# The newest long-lived Java that this release of the system has.
apt_java() {
  local package
  for package in openjdk-21-jre-headless openjdk-17-jre-headless; do
    if [ -n "$(apt-cache madison "$package" 2> /dev/null)" ]; then echo "$package" && return; fi
  done
  echo default-jre-headless
}

agreed() { # agreed QUESTION
  local answer
  if [ "$assume_yes" = true ]; then return 0; fi
  if [ ! -t 0 ]; then
    echo "Nobody is here to ask; run it again with --yes to have it installed." >&2
    return 1
  fi
  read -r -p "$1 [y/N] " answer
  case "$answer" in [yY] | [yY][eE][sS]) return 0 ;; *) return 1 ;; esac
}

install_with_apt() {
  local as_root=() packages=() package said="apt-get"
  if [ "$(id -u)" != 0 ]; then
    if lacks sudo; then
      echo "These packages are missing, and neither root nor sudo is here to install them: ${apt_packages[*]/JAVA/openjdk-17-jre-headless}" >&2
      return 1
    fi
    as_root=(sudo)
    said="sudo apt-get"
  fi
  echo "Missing: ${apt_packages[*]/JAVA/a Java runtime of version 17 or later}"
  agreed "Install with '$said'?" || return 1
  ${as_root[@]+"${as_root[@]}"} apt-get update -qq
  for package in "${apt_packages[@]}"; do
    if [ "$package" = JAVA ]; then package=$(apt_java); fi
    packages+=("$package")
  done
  echo "Running: $said install ${packages[*]}"
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
}

install_with_brew() {
  if lacks cc; then
    echo "The command line tools of Xcode are missing; install them with: xcode-select --install" >&2
    return 1
  fi
  if [ ${#brew_packages[@]} = 0 ] && [ ${#brew_casks[@]} = 0 ]; then return 0; fi
  echo "Missing: ${brew_packages[*]-} ${brew_casks[*]-}"
  agreed "Install with 'brew'?" || return 1
  if [ ${#brew_packages[@]} != 0 ]; then brew install "${brew_packages[@]}"; fi
  if [ ${#brew_casks[@]} != 0 ]; then brew install --cask "${brew_casks[@]}"; fi
}

put_in_place() { # put_in_place demo|tests; reads $assume_yes
  if [ "${CI:-}" = true ]; then assume_yes=true; fi
  if lacks cargo; then
    echo "Rust is missing; install it as https://rustup.rs says" >&2
    return 1
  fi
  look_for_needs "$@"
  if [ ${#apt_packages[@]} = 0 ] && [ ${#brew_packages[@]} = 0 ] && [ ${#brew_casks[@]} = 0 ]; then return 0; fi
  if ! lacks apt-get; then
    install_with_apt
  elif ! lacks brew; then
    install_with_brew
  else
    echo "Neither apt-get nor brew is here; install by your own means: ${apt_packages[*]/JAVA/Java 17}" >&2
    return 1
  fi
}
