# nix-build -E 'with import <nixpkgs> {}; callPackage ./packaging/nix {}'
{ lib, stdenv, rustPlatform, cargo, rustc }:

stdenv.mkDerivation {
  pname = "libowfat_io";
  version = (lib.importTOML ../../Cargo.toml).package.version;
  src = lib.cleanSource ../..;

  cargoDeps = rustPlatform.importCargoLock { lockFile = ../../Cargo.lock; };
  nativeBuildInputs = [ rustPlatform.cargoSetupHook cargo rustc ];
  makeFlags = [ "prefix=${placeholder "out"}" ];

  meta = {
    description = "io layer of libowfat, written anew";
    license = with lib.licenses; [ mit asl20 ];
    platforms = lib.platforms.linux;
  };
}
