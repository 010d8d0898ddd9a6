/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/cli/show.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/cli/say.h"

#define ID_SHOWN 12
#define CELL     256u
#define GAP      2

const char *show_bytes(char out[SHOW_TEXT_LEN], uint64_t bytes)
{
	static const char *const unit[] = { "B",   "KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	unsigned u = 0;

	while (v >= 1023.95 && u + 1 < VX6_COUNT(unit)) {
		v /= 1024;
		u++;
	}
	snprintf(out, SHOW_TEXT_LEN, u == 0 ? "%.0f %s" : "%.1f %s", v,
		 unit[u]);
	return out;
}

const char *show_ms(char out[SHOW_TEXT_LEN], double ms)
{
	if (ms < 9.995)
		snprintf(out, SHOW_TEXT_LEN, "%.2f ms", ms);
	else if (ms < 99.95)
		snprintf(out, SHOW_TEXT_LEN, "%.1f ms", ms);
	else if (ms < 999.5)
		snprintf(out, SHOW_TEXT_LEN, "%.0f ms", ms);
	else
		snprintf(out, SHOW_TEXT_LEN, "%.2f s", ms / 1000);
	return out;
}

const char *show_span(char out[SHOW_TEXT_LEN], uint64_t s)
{
	static const struct {
		uint64_t s;
		const char *unit;
	} part[] = {
		{ 86400, "d"   },
                { 3600,  "h"   },
                { 60,    "min" },
                { 1,     "s"   }
	};
	unsigned i = 0;
	uint64_t rest;

	while (i + 1 < VX6_COUNT(part) && s < part[i].s)
		i++;
	rest = s % part[i].s;
	if (i + 1 < VX6_COUNT(part) && rest >= part[i + 1].s)
		snprintf(out, SHOW_TEXT_LEN, "%llu %s %llu %s",
			 (unsigned long long)(s / part[i].s), part[i].unit,
			 (unsigned long long)(rest / part[i + 1].s),
			 part[i + 1].unit);
	else
		snprintf(out, SHOW_TEXT_LEN, "%llu %s",
			 (unsigned long long)(s / part[i].s), part[i].unit);
	return out;
}

/* ---- colour ---- */

const char *show_on(bool colour, enum show_style style)
{
	static const char *const code[] = {
		[SHOW_PLAIN] = "",        [SHOW_BOLD] = "\033[1m",
		[SHOW_DIM] = "\033[2m",   [SHOW_GOOD] = "\033[32m",
		[SHOW_WAIT] = "\033[33m", [SHOW_BAD] = "\033[31m",
	};

	return colour ? code[style] : "";
}

const char *show_off(bool colour, enum show_style style)
{
	return colour && style != SHOW_PLAIN ? "\033[0m" : "";
}

enum show_style show_state_style(const char *word)
{
	static const struct {
		const char *word;
		enum show_style style;
	} table[] = {
		{ "connected",  SHOW_GOOD },
                { "up",         SHOW_GOOD },
		{ "open",       SHOW_GOOD },
                { "ready",      SHOW_GOOD },
		{ "connecting", SHOW_WAIT },
                { "waiting",    SHOW_WAIT },
		{ "opening",    SHOW_WAIT },
                { "building",   SHOW_WAIT },
		{ "silent",     SHOW_WAIT },
                { "closing",    SHOW_WAIT },
		{ "down",       SHOW_BAD  },
	};

	for (size_t i = 0; i < VX6_COUNT(table); i++)
		if (strcmp(table[i].word, word) == 0)
			return table[i].style;
	return SHOW_PLAIN;
}

/* ---- cells ---- */

static size_t put(char *out, size_t len, size_t at, const char *text)
{
	int n = at < len ? snprintf(out + at, len - at, "%s", text) : 0;

	return at + (n > 0 ? (size_t)n : 0);
}

static void path_text(const json_t *v, char *out, size_t len)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < json_array_size(v); i++) {
		const char *hop = json_string_value(json_array_get(v, i));

		at = put(out, len, at, i > 0 ? " > " : "");
		at = put(out, len, at, hop == NULL ? "?" : hop);
	}
}

static void number_text(const json_t *v, char *out, size_t len,
			enum show_kind kind)
{
	char num[SHOW_TEXT_LEN];
	double d = json_number_value(v);
	json_int_t i = json_is_integer(v) ? json_integer_value(v)
					  : (json_int_t)d;

	if (kind == SHOW_MS)
		show_ms(num, d);
	else if (kind == SHOW_SPAN)
		show_span(num, i < 0 ? 0 : (uint64_t)i);
	else if (kind == SHOW_BYTES)
		show_bytes(num, i < 0 ? 0 : (uint64_t)i);
	else
		snprintf(num, sizeof(num), "%lld", (long long)i);
	snprintf(out, len, "%s", num);
}

const char *show_value(const json_t *v, char *out, size_t len,
		       enum show_kind kind)
{
	const char *text = json_string_value(v);

	out[0] = '\0';
	if (json_is_array(v))
		path_text(v, out, len);
	else if (json_is_boolean(v))
		snprintf(out, len, "%s", json_is_true(v) ? "yes" : "");
	else if (json_is_number(v))
		number_text(v, out, len, kind);
	else if (text != NULL && kind == SHOW_ID && strlen(text) > ID_SHOWN + 2)
		snprintf(out, len, "%.*s..", ID_SHOWN, text);
	else if (text != NULL)
		snprintf(out, len, "%s", text);
	say_clean(out);
	if (out[0] == '\0')
		snprintf(out, len, "-");
	return out;
}

/* ---- tables ---- */

/* columns_of counts what a terminal advances for UTF-8 text. */
static int columns_of(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void cell(FILE *f, const char *text, int width, bool right, bool last,
		 bool colour, enum show_style style)
{
	int pad = width - columns_of(text);

	fprintf(f, "%*s%s%s%s", right ? pad : 0, "", show_on(colour, style),
		text, show_off(colour, style));
	if (!last)
		fprintf(f, "%*s", (right ? 0 : pad) + GAP, "");
}

void show_list(struct cli *cli, const json_t *list,
	       const struct show_column *col, size_t cnt)
{
	int width[16] = { 0 };
	char text[CELL];
	size_t rows = json_array_size(list);

	for (size_t c = 0; c < cnt && c < VX6_COUNT(width); c++) {
		width[c] = columns_of(col[c].title);
		for (size_t r = 0; r < rows; r++) {
			int w = columns_of(show_value(
				json_object_get(json_array_get(list, r),
						col[c].member),
				text, sizeof(text), col[c].kind));

			width[c] = w > width[c] ? w : width[c];
		}
	}
	for (size_t r = 0; r <= rows; r++) {
		const json_t *row = r > 0 ? json_array_get(list, r - 1) : NULL;

		for (size_t c = 0; c < cnt && c < VX6_COUNT(width); c++) {
			enum show_style style = r == 0 ? SHOW_DIM : SHOW_PLAIN;

			if (r == 0)
				snprintf(text, sizeof(text), "%s",
					 col[c].title);
			else
				show_value(json_object_get(row, col[c].member),
					   text, sizeof(text), col[c].kind);
			if (r > 0 && col[c].kind == SHOW_STATE)
				style = show_state_style(text);
			cell(cli->out, text, width[c],
			     col[c].kind >= SHOW_COUNT, c + 1 == cnt,
			     cli->out_colour, style);
		}
		fputc('\n', cli->out);
	}
}
