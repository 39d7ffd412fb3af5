//! Who compiles C and C++ for a target: every strategy, their order, and the refusal.

use super::tests::*;
use super::*;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::link::Chosen;
use crate::config::Kindnesses;
use crate::config::Libc;

/// A machine with a store for kits.
struct Shop {
    machine: Machine,
    kits: TempDir,
    sysroots: BTreeMap<String, PathBuf>,
    is_cxx: bool,
}

impl Shop {
    fn with(files: &[&str]) -> Shop {
        let machine = Machine::with(&[X86_GNU, X86_MUSL, ARM_GNU, ARM_MUSL]);
        for file in files.iter().chain(&["path/cc"]) {
            machine.file(file, "");
        }
        Shop {
            machine,
            kits: tempfile::tempdir().expect("a directory"),
            sysroots: BTreeMap::new(),
            is_cxx: false,
        }
    }

    fn cxx(files: &[&str]) -> Shop {
        Shop {
            is_cxx: true,
            ..Shop::with(files)
        }
    }

    fn chosen(&self, name: &str, libc: Libc) -> Result<Chosen> {
        self.chosen_with(&[], name, libc)
    }

    fn chosen_with(&self, variables: &[(&str, &str)], name: &str, libc: Libc) -> Result<Chosen> {
        let toolchain = self.machine.toolchain(variables);
        let target = target(&toolchain, &platform(name), libc)?;
        let mut needs = needs_c();
        needs[0].is_cxx = self.is_cxx;
        let site = Site {
            root: &self.machine.path("workspace"),
            kits: &kits(self.kits.path()),
            sysroots: &self.sysroots,
            base: &BaseLibraries::NotAsked,
            packages: &[],
            kindnesses: Kindnesses::default(),
        };
        link(&toolchain, &target, &needs, site)
    }

    /// Linker and variables for arm64, and the reason for the compiler.
    fn arm(&self) -> (Option<String>, BTreeMap<String, String>, String) {
        self.parts(&self.chosen("linux/arm64", Libc::Auto).expect("a compiler"))
    }

    fn parts(&self, chosen: &Chosen) -> (Option<String>, BTreeMap<String, String>, String) {
        let link = chosen.link.clone();
        let reason = chosen.reasons.last().expect("reasons").clone();
        let linker = link.linker.map(by_script);
        (linker, link.variables.into_iter().collect(), reason)
    }

    fn refused(&self, name: &str, libc: Libc) -> String {
        told(&self.chosen(name, libc).expect_err("no compiler"))
    }
}

/// `rust-lld` for a script that runs it, another linker as it is.
fn by_script(linker: String) -> String {
    match fs::read_to_string(&linker) {
        Ok(text) if text.contains("/bin/rust-lld'\n") => "rust-lld".to_owned(),
        _ => linker,
    }
}

const CC: &str = "CC_aarch64_unknown_linux_musl";
const AR: &str = "AR_aarch64_unknown_linux_musl";
const RANLIB: &str = "RANLIB_aarch64_unknown_linux_musl";
const CXX: &str = "CXX_aarch64_unknown_linux_musl";
const HEADERS: [&str; 5] = [
    "usr/include/aarch64-linux-musl/stdio.h",
    "usr/include/aarch64-linux-gnu/asm/types.h",
    "usr/include/asm-generic/types.h",
    "usr/include/linux/types.h",
    "usr/include/stdio.h",
];

fn with_headers(more: &[&str]) -> Shop {
    Shop::with(&[&HEADERS, more].concat())
}

#[test]
fn clang_with_musl_headers_compiles_and_rust_lld_links() {
    let shop = with_headers(&["path/clang", "path/llvm-ar"]);
    let (linker, variables, reason) = shop.arm();
    assert_eq!(linker.as_deref(), Some("rust-lld"));
    assert!(variables[CC].ends_with("/clang"), "{variables:?}");
    let ar = shop.machine.path("path/llvm-ar");
    assert_eq!(variables[AR], ar.display().to_string());
    let headers = shop.machine.path("usr/include/aarch64-linux-musl");
    let wanted = format!(
        "C code of `ring` (web → rustls → ring) is compiled by clang with the musl headers of {}",
        headers.display()
    );
    assert_eq!(reason, wanted);
    let chosen = shop.chosen("linux/arm64", Libc::Auto).expect("again");
    assert_eq!(
        chosen.reasons[..2],
        [
            "target `aarch64-unknown-linux-musl`: installed",
            "linked by rust-lld, the toolchain's own"
        ]
    );
}

#[test]
fn the_kit_of_clang_holds_the_kernels_headers_and_none_of_glibc() {
    let shop = with_headers(&["path/clang", "path/ar"]);
    let (_, variables, _) = shop.arm();
    let clang = Path::new(&variables[CC]);
    let mode = fs::metadata(clang).expect("a script").permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    let include = clang.parent().expect("a kit").join("include");
    let entries = fs::read_dir(&include).expect("a directory").flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    names.sort();
    assert_eq!(names, ["asm", "asm-generic", "linux"]);
    let empty = clang.with_file_name("lib").join("libpthread.a");
    assert_eq!(fs::read(empty).expect("an archive"), b"!<arch>\n");
    let text = fs::read_to_string(clang).expect("text");
    assert!(text.contains("-nostdlibinc"), "{text}");
    assert!(
        text.contains("--target=aarch64-unknown-linux-musl"),
        "{text}"
    );
}

#[test]
fn the_newest_clang_with_a_number_serves_and_so_does_any_archiver() {
    let shop = with_headers(&["path/clang-14", "path/clang-19", "path/llvm-ar-14"]);
    let (_, variables, _) = shop.arm();
    let text = fs::read_to_string(&variables[CC]).expect("a script");
    assert!(text.contains("path/clang-19'"), "{text}");
    assert!(variables[AR].ends_with("/path/llvm-ar-14"));
    let ranlib = fs::read_to_string(&variables[RANLIB]).expect("a script");
    assert!(ranlib.ends_with("/path/llvm-ar-14' s \"$@\"\n"), "{ranlib}");
    let shop = with_headers(&["path/clang"]);
    let said = shop.refused("linux/arm64", Libc::Auto);
    assert!(said.contains("`llvm-ar` or `ar` on PATH"), "{said}");
    let own = format!("sysroot/lib/rustlib/{X86_GNU}/bin/llvm-ar");
    let shop = with_headers(&["path/clang", &own]);
    assert!(shop.arm().1[AR].ends_with("/bin/llvm-ar"));
}

#[test]
fn clang_without_musl_headers_does_not_serve() {
    let shop = Shop::with(&["path/clang", "path/ar", "usr/include/stdio.h"]);
    let said = shop.refused("linux/arm64", Libc::Auto);
    let place = shop.machine.path("usr/include/aarch64-linux-musl");
    let wanted = format!(
        "looked for musl headers in {}, for `clang`",
        place.display()
    );
    assert!(said.contains(&wanted), "{said}");
}

#[test]
fn a_configured_sysroot_stands_over_the_machines_headers() {
    let mut shop = with_headers(&["path/clang", "path/ar", "mine/usr/include/stdio.h"]);
    let mine = shop.machine.path("mine");
    shop.sysroots.insert(ARM_MUSL.to_owned(), mine.clone());
    let (_, _, reason) = shop.arm();
    assert!(reason.ends_with("/mine/usr/include"), "{reason}");
    fs::remove_file(mine.join("usr/include/stdio.h")).expect("removed");
    let said = shop.refused("linux/arm64", Libc::Auto);
    assert!(
        said.contains("`sysroots.aarch64-unknown-linux-musl`"),
        "{said}"
    );
}

#[test]
fn zig_is_found_by_each_of_its_names_and_python_is_not_started() {
    let variable = |name, value: &str| {
        let shop = Shop::with(&["opt/zig"]);
        let value = shop.machine.path(value).display().to_string();
        let chosen = shop.chosen_with(&[(name, &value)], "linux/arm64", Libc::Auto);
        shop.parts(&chosen.expect("a compiler"))
    };
    for name in ["ZIG", "CARGO_ZIGBUILD_ZIG_PATH"] {
        let (linker, variables, reason) = variable(name, "opt/zig");
        assert_eq!(linker.as_deref(), Some("rust-lld"));
        assert!(variables[CC].ends_with("/cc"), "{variables:?}");
        assert!(reason.ends_with("/opt/zig"), "{reason}");
    }
    let package = "lib/python3.11/site-packages/ziglang/zig";
    for files in [&["path/zig"][..], &["path/python3", package]] {
        assert!(Shop::with(files).arm().1[AR].ends_with("/ar"), "{files:?}");
    }
    Shop::with(&["path/python3"])
        .chosen("linux/arm64", Libc::Auto)
        .expect_err("no ziglang");
}

#[test]
fn zig_gets_none_of_the_words_that_it_rejects() {
    let shop = Shop::with(&[]);
    let zig = shop
        .machine
        .file("path/zig", "#!/bin/sh\nprintf '%s|' \"$@\"\n");
    fs::set_permissions(&zig, fs::Permissions::from_mode(0o755)).expect("runs");
    let (_, variables, _) = shop.arm();
    let words = [
        "--target=aarch64-unknown-linux-musl",
        "-O2",
        "-target",
        "x",
        "-DA=b c",
        "a.c",
    ];
    let call = Call::new(&variables[CC], Path::new("/")).args(words);
    let said = String::from_utf8(call.output().expect("runs").stdout).expect("text");
    assert_eq!(
        said,
        "cc|-target|aarch64-linux-musl|-g0|-fno-sanitize=undefined|-O2|-DA=b c|a.c|"
    );
}

#[test]
fn the_order_is_cross_gcc_then_musl_gcc_then_clang_then_zig() {
    let amd64 = "usr/include/x86_64-linux-musl/stdio.h";
    let all = [
        "path/x86_64-linux-musl-gcc",
        "path/musl-gcc",
        "path/clang",
        "path/zig",
    ];
    let wanted = [
        "`x86_64-linux-musl-gcc`",
        "`musl-gcc`",
        "clang with",
        "zig, ",
    ];
    for (first, name) in wanted.iter().enumerate() {
        let shop = Shop::with(&[&all[first..], &[amd64, "path/ar"]].concat());
        let chosen = shop.chosen("linux/amd64", Libc::Auto).expect("a compiler");
        let (linker, _, reason) = shop.parts(&chosen);
        assert!(
            reason.contains(&format!("is compiled by {name}")),
            "{reason}"
        );
        assert_eq!(linker.as_deref(), Some("rust-lld"));
    }
}

#[test]
fn a_script_that_calls_a_gcc_which_is_not_there_does_not_serve() {
    let shop = Shop::with(&["path/zig"]);
    let script = "#!/bin/sh\nexec \"${REALGCC:-aarch64-linux-gnu-gcc}\" \"$@\" -specs x\n";
    shop.machine.file("path/aarch64-linux-musl-gcc", script);
    assert!(shop.arm().2.contains("by zig"));
    fs::remove_file(shop.machine.path("path/zig")).expect("removed");
    let said = shop.refused("linux/arm64", Libc::Auto);
    assert!(
        said.contains(
            "looked for `aarch64-linux-gnu-gcc` on PATH, for the script `aarch64-linux-musl-gcc`"
        ),
        "{said}"
    );
    shop.machine.file("path/aarch64-linux-gnu-gcc", "");
    assert!(shop.arm().2.contains("by `aarch64-linux-musl-gcc`"));
}

#[test]
fn a_bare_cc_of_the_user_is_no_compiler_for_another_target() {
    let shop = Shop::with(&["path/zig", "path/gcc"]);
    let chosen = shop.chosen_with(&[("CC", "gcc")], "linux/arm64", Libc::Auto);
    let (_, variables, _) = shop.parts(&chosen.expect("a compiler"));
    assert!(
        variables[CC].ends_with("/cc"),
        "named, so that `CC` is not asked"
    );
}

#[test]
fn what_the_user_names_is_left_alone_and_the_rest_is_chosen() {
    let shop = Shop::cxx(&["path/zig", "path/mycc"]);
    let own = [
        ("CC_aarch64-unknown-linux-musl", "mycc"),
        ("TARGET_AR", "myar"),
    ];
    let chosen = shop.chosen_with(&own, "linux/arm64", Libc::Auto);
    let (_, variables, _) = shop.parts(&chosen.expect("a compiler"));
    assert!(!variables.contains_key(CC) && !variables.contains_key(AR));
    assert!(variables[CXX].ends_with("/c++"));
}

#[test]
fn a_linker_of_the_user_does_not_compile_c() {
    let shop = Shop::with(&["path/zig", "path/mycc"]);
    let own = [("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "ld")];
    let chosen = shop.chosen_with(&own, "linux/arm64", Libc::Auto);
    let (linker, variables, _) = shop.parts(&chosen.expect("a compiler"));
    assert_eq!(linker, None);
    assert!(variables.contains_key(CC));
    let own = [("TARGET_CC", "mycc")];
    let chosen = shop.chosen_with(&own, "linux/arm64", Libc::Auto);
    let (linker, variables, reason) = shop.parts(&chosen.expect("configured"));
    assert_eq!((linker.as_deref(), variables.len()), (Some("rust-lld"), 0));
    assert!(
        reason.ends_with("is compiled by what `TARGET_CC` names"),
        "{reason}"
    );
}

#[test]
fn cxx_with_musl_is_compiled_and_linked_by_zig() {
    let shop = Shop::cxx(&[&HEADERS[..], &["path/clang", "path/ar", "path/zig"]].concat());
    let (linker, variables, reason) = shop.arm();
    assert!(linker.expect("a linker").ends_with("/link-gcc"));
    assert!(variables[CXX].ends_with("/c++"));
    assert!(reason.starts_with("C++ code of `ring`"), "{reason}");
    let shop = Shop::cxx(&["path/musl-gcc", "path/clang"]);
    let said = shop.refused("linux/amd64", Libc::Auto);
    assert!(said.starts_with("`ring` needs a C++ compiler"), "{said}");
    assert!(
        said.contains("looked for `musl-gcc`, which has no C++"),
        "{said}"
    );
    assert!(
        said.contains("looked for clang, which has no C++ library for musl"),
        "{said}"
    );
}

#[test]
fn cxx_with_glibc_is_compiled_by_the_gxx_beside_the_gcc() {
    let shop = Shop::cxx(&["path/aarch64-linux-gnu-gcc"]);
    let said = shop.refused("linux/arm64", Libc::Gnu);
    assert!(
        said.contains("looked for `aarch64-linux-gnu-g++` on PATH, for C++"),
        "{said}"
    );
    assert!(
        said.contains("`apt install g++-aarch64-linux-gnu`"),
        "{said}"
    );
    shop.machine.file("path/aarch64-linux-gnu-g++", "");
    let chosen = shop.chosen("linux/arm64", Libc::Gnu).expect("a compiler");
    let (linker, variables, _) = shop.parts(&chosen);
    assert_eq!(linker.as_deref(), Some("aarch64-linux-gnu-gcc"));
    assert_eq!(
        variables["CXX_aarch64_unknown_linux_gnu"],
        "aarch64-linux-gnu-g++"
    );
    let shop = Shop::cxx(&["path/cc"]);
    let said = shop.refused("linux/amd64", Libc::Gnu);
    assert!(said.contains("looked for `c++` or `g++` on PATH"), "{said}");
    shop.machine.file("path/g++", "");
    let chosen = shop.chosen("linux/amd64", Libc::Gnu).expect("a compiler");
    assert_eq!(shop.parts(&chosen).1["CXX_x86_64_unknown_linux_gnu"], "g++");
}

#[test]
fn every_refusal_ends_with_three_ways_out() {
    for is_cxx in [false, true] {
        for (name, libc) in [
            ("linux/amd64", Libc::Auto),
            ("linux/arm64", Libc::Auto),
            ("linux/amd64", Libc::Gnu),
            ("linux/arm64", Libc::Gnu),
        ] {
            let shop = Shop {
                is_cxx,
                ..Shop::with(&[])
            };
            fs::remove_file(shop.machine.path("path/cc")).expect("removed");
            let error = shop.chosen(name, libc).expect_err("no compiler");
            let fault = error.downcast_ref::<Fault>().expect("a fault");
            assert_eq!(fault.hints().len(), 3, "{fault:?}");
            assert!(fault.reasons()[0].contains("web → rustls → ring"));
            assert!(fault.reasons()[1].starts_with("looked for "), "{fault:?}");
        }
    }
}

#[test]
fn a_refusal_names_each_crate_with_its_own_language() {
    let shop = Shop::with(&["path/musl-gcc"]);
    let toolchain = shop.machine.toolchain(&[]);
    let target = target(&toolchain, &platform("linux/arm64"), Libc::Auto).expect("a target");
    let mut needs = needs_c();
    needs.push(CNeed {
        package: "plusplus".to_owned(),
        is_cxx: true,
        ..needs[0].clone()
    });
    let said = |needs: &[CNeed]| {
        told(&link_at(&toolchain, &target, needs, shop.kits.path()).expect_err("no compiler"))
    };
    let target = "for `aarch64-unknown-linux-musl`";
    let both = format!(
        "`plusplus` needs a C++ compiler and `ring` needs a C compiler {target}, and nothing here serves both\n"
    );
    assert!(said(&needs).starts_with(&both), "{}", said(&needs));
    needs[0].is_cxx = true;
    let one = format!("`ring`, `plusplus` need a C++ compiler {target}, and there is none\n");
    assert!(said(&needs).starts_with(&one), "{}", said(&needs));
}

#[test]
fn a_configured_compiler_that_is_not_there_is_refused_before_cargo_starts() {
    let shop = Shop::with(&["path/zig"]);
    for (value, why) in [
        ("/nonexist", "which is not there"),
        ("/no where/cc", "`/no`, which is not there"),
        ("mycc", "`mycc`, which is not on PATH"),
        ("ccache clang", "`ccache`, which is not on PATH"),
    ] {
        let chosen = shop.chosen_with(&[(CC, value)], "linux/arm64", Libc::Auto);
        let said = told(&chosen.expect_err(value));
        assert!(said.starts_with(&format!("`{CC}` is `{value}`")), "{said}");
        assert!(said.contains(why), "{said}");
        assert!(said.contains("`ring` is in the graph"), "{said}");
        assert!(
            said.ends_with("or unset it: rbuild looks for a compiler then"),
            "{said}"
        );
    }
    let own = [("TARGET_CXX", "/nonexist")];
    let said = told(
        &Shop::cxx(&["path/zig"])
            .chosen_with(&own, "linux/arm64", Libc::Auto)
            .expect_err("C++ alone is configured"),
    );
    assert!(
        said.starts_with("`TARGET_CXX` is `/nonexist`, which is not there"),
        "{said}"
    );
}

#[test]
fn a_configured_compiler_is_left_alone_where_it_is_there_and_where_nobody_can_tell() {
    let shop = Shop::with(&[
        "path/ccache",
        "cargo/bin/mycc",
        "my tools/cc",
        "workspace/x/cc",
    ]);
    let here = shop.machine.path("my tools/cc").display().to_string();
    for value in [
        here.as_str(),
        "ccache nothing --target=x",
        "mycc -O2",    // rustup puts this directory on PATH for cargo
        "tools/cc",    // from the directory of each build script
        "'my own cc'", // whoever reads it otherwise than the cc crate
        "$HOME/bin/cc",
        " ",
    ] {
        let chosen = shop.chosen_with(&[(CC, value)], "linux/arm64", Libc::Auto);
        let (_, variables, _) = shop.parts(&chosen.expect(value));
        assert!(!variables.contains_key(CC), "{value}");
    }
    let forced = format!("[env]\n{CC} = {{ value = '{here}', force = true }}\n");
    shop.machine.file("workspace/.cargo/config.toml", &forced);
    let chosen = shop.chosen_with(&[(CC, "/nonexist")], "linux/arm64", Libc::Auto);
    chosen.expect("another compiler");
    let path = "[env]\nPATH = { value = '/opt/cross', force = true }\n";
    shop.machine.file("workspace/.cargo/config.toml", path);
    let chosen = shop.chosen_with(&[(CC, "othercc")], "linux/arm64", Libc::Auto);
    chosen.expect("another PATH");
    let own = [
        ("CXX_aarch64_unknown_linux_musl", "/nonexist"),
        (CC, here.as_str()),
    ];
    let chosen = shop.chosen_with(&own, "linux/arm64", Libc::Auto);
    chosen.expect("nothing is C++");
}
