# Prints what a caller must know of each function in abidw's XML, one line a function: the kinds and sizes of arguments
# and result, and of structures the offsets and kinds of members, whatever the language calls them. The same lines
# come from the C headers and from the Rust library if they agree.
#
# Left out: const, names, and the member autofree, which the library reaches only through its offset. A semaphore is
# so many bits, since the library never looks into it.

function value(name, at) {
    at = index($0, " " name "='")
    if (!at) return ""
    at = substr($0, at + length(name) + 3)
    return substr(at, 1, index(at, "'") - 1)
}

function kind(id, result) {
    if (!(id in what)) return "?" id
    if (what[id] == "same") return kind(target[id])
    if (what[id] == "base" || what[id] == "opaque") return text[id]
    if (what[id] == "array") return "[" text[id] " " kind(target[id]) "]"
    if (id in open) return "..."
    open[id] = 1
    if (what[id] == "pointer") result = "*" kind(target[id])
    else if (some[id]) result = kind(some[id])
    else result = (what[id] == "function" ? "(" : "{") list(id)
    delete open[id]
    return result
}

# The members of a structure, or the parameters and the result of a function.
function list(id, i, result) {
    for (i = 1; i <= count[id]; i++) result = result (i > 1 ? ", " : "") place[id, i] kind(part[id, i])
    return result (what[id] == "function" ? ") -> " kind(result_of[id]) : "}")
}

function base(name, bits) {
    if (name ~ /^(void|\(\))$/) return "void"
    if (name ~ /^(double|f64|float|f32)$/) return "f" bits
    return (name ~ /^(u|unsigned)/ ? "u" : "s") bits
}

function add(id, type, where) {
    part[id, ++count[id]] = type
    place[id, count[id]] = where
}

/<type-decl / { what[value("id")] = "base"; text[value("id")] = base(value("name"), value("size-in-bits")) }
# C's void in Rust; no other enumeration is an argument.
/<enum-decl name='c_void'/ { what[value("id")] = "base"; text[value("id")] = "void" }
/<typedef-decl |<qualified-type-def / { what[value("id")] = "same"; target[value("id")] = value("type-id") }
/<pointer-type-def / { what[value("id")] = "pointer"; target[value("id")] = value("type-id") }
/<array-type-def / { array = value("id"); what[array] = "array"; target[array] = value("type-id") }
/<subrange / { text[array] = value("length") }
/<(class|union)-decl / {
    id = value("id")
    # A nullable function pointer of Rust is a structure whose variant Some has the pointer.
    if (value("name") == "Some") owner_of[id] = struct[depth]
    struct[++depth] = id
    what[id] = value("name") ~ /^(sem_t|MuxSemaphore)$/ ? "opaque" : "struct"
    text[id] = "opaque" value("size-in-bits")
    if ($0 ~ /\/>$/) depth--
}
/<\/(class|union)-decl>/ { depth-- }
/<data-member / { offset = value("layout-offset-in-bits") }
/<var-decl / && depth && value("name") != "autofree" {
    id = struct[depth]
    if (id in owner_of) some[owner_of[id]] = value("type-id")
    add(id, value("type-id"), offset " ")
}
/<function-type / { f = value("id"); what[f] = "function" }
/<function-decl / { f = value("elf-symbol-id"); if (f != "") { what[f] = "function"; functions[f] = 1 } else f = "-" }
/<parameter / { if (f != "-") add(f, value("type-id"), "") }
/<return / { if (f != "-") result_of[f] = value("type-id") }

END { for (f in functions) print f kind(f) }
