# SPDX-License-Identifier: GPL-2.0-or-later
# bench.md: how to read it, the machine, and a table for each section.

function bold(name) {
    return ours(name) ? "**" name "**" : name
}

function cell(section, metric, subject) {
    return (section, metric, subject) in value ? short(value[section, metric, subject]) : ""
}

# Where one of them is "bluegreen" and nothing else, it is told as a ratio too: to the first floor, to the best of the others.
function add_ratios(section,    n, m, i, j, metric, subject, mine, bare, best, here) {
    if (!known(subjects[section], "bluegreen")) return
    n = split(metrics[section], metric, "\t")
    m = split(subjects[section], subject, "\t")
    for (i = 1; i <= n; i++) {
        mine = section SUBSEP metric[i] SUBSEP "bluegreen"
        if (!(mine in value)) continue
        bare = best = ""
        for (j = 1; j <= m; j++) {
            here = section SUBSEP metric[i] SUBSEP subject[j]
            if (!(here in value) || ours(subject[j])) continue
            if (is_floor(subject[j])) { if (bare == "") bare = value[here] }
            else if (best == "" || (better(metric[i]) ~ /^more/ ? value[here] > best + 0 : value[here] < best + 0))
                best = value[here]
        }
        add_ratio(section, metric[i], "to the floor", value[mine], bare)
        add_ratio(section, metric[i], "to the best of the others", value[mine], best)
    }
}

function add_ratio(section, metric, name, mine, other) {
    if (other + 0 == 0) return
    subjects[section] = append(subjects[section], name)
    value[section, metric, name] = sprintf("%.2f", mine / other) + 0
}

# The longer side goes down: a wide table is hard to read.
function table(section,    n, m, i, j, metric, subject, across, line, rule) {
    n = split(metrics[section], metric, "\t")
    m = split(subjects[section], subject, "\t")
    across = n <= m
    line = "| |"; rule = "|---|"
    for (i = 1; i <= (across ? n : m); i++) {
        line = line " " (across ? title_of(metric[i]) : bold(subject[i])) " |"
        rule = rule "---:|"
    }
    print line; print rule
    for (j = 1; j <= (across ? m : n); j++) {
        line = "| " (across ? bold(subject[j]) : title_of(metric[j])) " |"
        for (i = 1; i <= (across ? n : m); i++)
            line = line " " (across ? cell(section, metric[i], subject[j]) : cell(section, metric[j], subject[i])) " |"
        print line
    }
}

function wrap(text, width,    n, i, word, line) {
    n = split(text, word, " ")
    for (i = 1; i <= n; i++) {
        if (line != "" && length(line) + 1 + length(word[i]) > width) { print line; line = "" }
        line = line == "" ? word[i] : line " " word[i]
    }
    if (line != "") print line
}

END {
    put_in_order()
    print "<!-- Written by `make bench-report`; what is said of a section stands in tests/bench/sections. -->"
    print "# Benchmarks\n"
    wrap("Whatever is compared was measured in one run and in turn, so that all have seen the same machine. " \
        "Each figure is a median of several rounds. Ours are bold in the tables and blue in the picture. " \
        "A floor, green, is what the machine alone takes for the same thing, with nobody\047s program in it: what lies " \
        "between is the price of whatever is done besides. Grey are the others. The bars of a chart begin at zero; each " \
        "chart has a scale of its own.", 120)
    print ""
    wrap("Trust ratios, which most tables have at their end; where less is better, below 1 is better. Another machine has other figures, and with other work on it requests a second are " \
        "those of whoever gets the CPUs; CPU a request and large ratios hardly move. Differences of some per cent " \
        "are noise. `make bench` makes this page for your machine, in `build/bench`; what each benchmark does in " \
        "detail stands at the top of its file in `tests/bench`.", 120)
    print "\n## The machine\n"
    for (i = 1; i <= machine_lines; i++) print "- " machine[i]
    print "\n![the same as bars](bench.svg)"
    for (s = 1; s <= sections; s++) {
        print "\n## " order[s] "\n"
        if (about[order[s]] != "") { wrap(about[order[s]], 120); print "" }
        add_ratios(order[s])
        table(order[s])
    }
}
