kind=program
previous=
into=

see() {
    case $1 in
    -shared | --shared | -Bshareable) kind=library ;;
    -r | -i | --relocatable) kind=object ;;
    -nostartfiles | -nostdlib) [ "$kind" != program ] || kind=bare ;;
    -static | -static-pie | --no-dynamic-linker) loader= ;;
    esac
    [ "$previous" != -o ] || into=$1
    previous=$1
}

see_file() {
    while IFS= read -r line || [ -n "$line" ]; do
        see "$line"
    done <"$1"
}

# What users write for a C compiler that links is said to a linker, or left out.
left=$#
while [ "$left" -gt 0 ]; do
    argument=$1
    shift
    left=$((left - 1))
    case $argument in
    @*) see_file "${argument#@}" ;;
    *) see "$argument" ;;
    esac
    case $argument in
    -Wl,*)
        set -f
        IFS=,
        set -- "$@" ${argument#-Wl,}
        unset IFS
        set +f
        ;;
    -rdynamic) set -- "$@" --export-dynamic ;;
    -Xlinker | -fuse-ld=* | -pthread | -m32 | -m64 | -nostartfiles) ;;
    *) set -- "$@" "$argument" ;;
    esac
done

# `…/<triple>/<profile>/deps/…` is for the target; what build scripts and procedural macros are made of lies elsewhere.
if [ -n "$triple" ]; then
    case $into in
    */"$triple"/*) within=${into##*/"$triple"/} ;;
    *) within= ;;
    esac
    case ${within#*/} in
    deps/* | build/*) for_target ;;
    esac
fi

[ "$kind" != object ] || exec "$linker" -flavor gnu "$@"
[ -n "$start" ] || exec "$linker" -flavor gnu "$@" -L "$libraries"
[ "$kind" != program ] || set -- "$@" "$start/crt1.o"
[ "$kind" = library ] || [ -z "$loader" ] || set -- "$@" --dynamic-linker "$loader"
exec "$linker" -flavor gnu "$@" --start-lib "$start/nonshared.o" --end-lib -L "$libraries"
