# SPDX-License-Identifier: GPL-2.0-or-later
# bench.svg: a card for each section, with bars for each metric.

function escape(what) {
    gsub(/&/, "\\&amp;", what); gsub(/</, "\\&lt;", what)
    return what
}

# What a screen's sans serif takes at this size, on the safe side; bold is wider.
function width_of(what, size, is_bold) {
    return length(what) * size * (is_bold ? 0.63 : 0.57)
}

function text(x, y, size, style, colour, what) {
    body = body sprintf("<text x=\"%d\" y=\"%d\" font-size=\"%d\" %s fill=\"%s\">%s</text>\n", x, y, size, style, colour,
        escape(what))
}

function box(x, y, width, height, round, style) {
    body = body sprintf("<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"%d\" %s/>\n", x, y, width, height, round, style)
}

function paint(subject) {
    return "fill=\"" (ours(subject) ? "#2f6fde" : is_floor(subject) ? "#4ba35c" : "#b3bcc7") "\""
}

# The words of a text in lines from x, y; returns their height.
function paragraph(x, y, what, width,    n, i, word, line, height) {
    n = split(what, word, " ")
    for (i = 1; i <= n; i++) {
        if (line != "" && width_of(line " " word[i], 12) > width) {
            text(x, y + height, 12, "", MUTED, line)
            height += 17; line = ""
        }
        line = line == "" ? word[i] : line " " word[i]
    }
    if (line == "") return height
    text(x, y + height, 12, "", MUTED, line)
    return height + 17
}

function widest(list, size, is_bold,    m, j, item, width, most) {
    m = split(list, item, "\t")
    for (j = 1; j <= m; j++) {
        width = width_of(size == 12 ? label_of(item[j]) : title_of(item[j]), size, is_bold || ours(item[j]))
        if (width > most) most = width
    }
    return int(most)
}

# Where all are ours there is no need to say so at each.
function set_prefix(section,    m, j, subject) {
    m = split(subjects[section], subject, "\t")
    needless = m > 1
    for (j = 1; j <= m; j++)
        if (subject[j] !~ /^bluegreen[:,] /) needless = 0
}

function label_of(subject) {
    if (needless) sub(/^bluegreen[:,] /, "", subject)
    return subject
}

# One metric of a section at x, y: a bar for each subject that has a figure. Returns its height.
function chart(section, metric, x, y, label, column,    m, j, subject, key, top, at, room, long) {
    m = split(subjects[section], subject, "\t")
    text(x, y + 12, 13, "font-weight=\"bold\"", INK, title_of(metric))
    text(x + column, y + 12, 11, "text-anchor=\"end\"", MUTED, better(metric))
    room = column - label - 8 - 64 # for the figure behind the longest
    at = y + 24
    for (j = 1; j <= m; j++) {
        key = section SUBSEP metric SUBSEP subject[j]
        if (key in value && value[key] + 0 > top) top = value[key] + 0
    }
    for (j = 1; j <= m; j++) {
        key = section SUBSEP metric SUBSEP subject[j]
        if (!(key in value)) continue
        long = top > 0 ? value[key] / top * room : 0
        if (long < 1.5) long = 1.5 # also the shortest is to be seen
        text(x + label, at + 12, 12, "text-anchor=\"end\"" (ours(subject[j]) ? " font-weight=\"bold\"" : ""), INK,
            label_of(subject[j]))
        box(x + label + 8, at, long, 15, 2, paint(subject[j]))
        text(x + label + 8 + long + 6, at + 12, 12, "", INK, short(value[key]))
        at += 21
    }
    return at - y + 14
}

# How many of n charts are side by side: as many as leave room for bars, and for what is better beside the titles.
function columns_of(section, label, n,    columns) {
    for (columns = n == 3 || n > 4 ? 3 : 2; columns > 1; columns--)
        if (label + 200 <= column_of(columns) && widest(metrics[section], 13, 1) + 85 <= column_of(columns)) break
    return columns
}

function column_of(columns) {
    return int((WIDTH - 4 * PAD - (columns - 1) * GAP) / columns)
}

# The charts of a section in rows; returns their height.
function charts(section, y,    n, i, c, metric, label, columns, column, height, tallest, begin) {
    n = split(metrics[section], metric, "\t")
    label = widest(subjects[section], 12)
    columns = columns_of(section, label, n)
    column = column_of(columns)
    begin = y
    for (i = 1; i <= n; i += columns) {
        tallest = 0
        for (c = 0; c < columns && i + c <= n; c++) {
            height = chart(section, metric[i + c], PAD * 2 + c * (column + GAP), y, label, column)
            if (height > tallest) tallest = height
        }
        y += tallest
    }
    return y - begin
}

function card(section, y,    begin, before) {
    set_prefix(section)
    begin = y
    before = body; body = ""
    text(PAD * 2, y + 30, 17, "font-weight=\"bold\"", INK, section)
    y += 52
    y += paragraph(PAD * 2, y, about[section], WIDTH - 4 * PAD) + 4
    y += charts(section, y)
    # Behind what is on it, which had to be laid out first.
    card_body = body; body = before
    box(PAD, begin, WIDTH - 2 * PAD, y - begin, 8, "fill=\"#ffffff\" stroke=\"#d8dee4\"")
    body = body card_body
    return y - begin + PAD
}

function legend(x, y,    i, name) {
    split("bluegreen\tfloor: the machine alone\tothers", name, "\t")
    for (i = 1; i <= 3; i++) {
        box(x, y - 11, 15, 13, 2, paint(name[i]))
        text(x + 22, y, 12, "", INK, name[i])
        x += 50 + width_of(name[i], 12)
    }
}

END {
    put_in_order()
    WIDTH = 1160; PAD = 20; GAP = 40; INK = "#24292f"; MUTED = "#57606a"
    text(PAD, 44, 24, "font-weight=\"bold\"", INK, "bluegreen: benchmarks")
    y = 68
    for (i = 1; i <= machine_lines; i++) y += paragraph(PAD, y, machine[i], WIDTH - 2 * PAD)
    legend(PAD, y + 10)
    y += 30
    for (s = 1; s <= sections; s++) y += card(order[s], y)
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" " \
        "font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n", WIDTH, y, WIDTH, y
    printf "<rect width=\"100%%\" height=\"100%%\" fill=\"#f6f8fa\"/>\n%s</svg>\n", body
}
