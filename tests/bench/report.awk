# SPDX-License-Identifier: GPL-2.0-or-later
# What both parts of the report read first: the files `sections`, machine and figures, in this order. Afterwards there are
# order[1..sections], about[section], metrics[section] and subjects[section] (with tabs between), value[section, metric,
# subject], and machine[1..machine_lines].

function known(list, item) {
    return index("\t" list "\t", "\t" item "\t")
}

function append(list, item) {
    return list == "" ? item : known(list, item) ? list : list "\t" item
}

# A number as people read it: three digits that count, and commas between thousands.
function short(x,    digits, head) {
    if (x < 100)
        return sprintf(x == int(x) ? "%d" : x < 10 ? "%.2f" : "%.1f", x)
    digits = sprintf("%.0f", x)
    for (head = ""; length(digits) > 3; digits = substr(digits, 1, length(digits) - 3))
        head = "," substr(digits, length(digits) - 2) head
    return digits head
}

function title_of(metric) {
    sub(/^us/, "µs", metric)
    return metric
}

# What a reader wants of a metric.
function better(metric) {
    return metric ~ /^(us|ms|KiB|MiB|RSS|PSS)/ ? "less is better" : metric ~ /a second|^Gbit/ ? "more is better" : ""
}

function ours(subject) {
    return subject ~ /^bluegreen/
}

function is_floor(subject) {
    return subject ~ /^floor/
}

FNR == 1 { file++ }
file == 1 && /^[^ #]/ { section = $0; wanted[++wants] = section }
file == 1 && /^ / { sub(/^ +/, ""); about[section] = about[section] == "" ? $0 : about[section] " " $0 }
file == 2 { machine[++machine_lines] = $0 }
file == 3 && split($0, field, "\t") == 4 {
    if (!(field[1] in metrics)) came[++comes] = field[1]
    metrics[field[1]] = append(metrics[field[1]], field[2])
    subjects[field[1]] = append(subjects[field[1]], field[3])
    value[field[1], field[2], field[3]] = field[4]
}

function put_in_order(    i, placed) {
    for (i = 1; i <= wants; i++)
        if (wanted[i] in metrics) { order[++sections] = wanted[i]; placed[wanted[i]] = 1 }
    for (i = 1; i <= comes; i++)
        if (!(came[i] in placed)) order[++sections] = came[i]
}
