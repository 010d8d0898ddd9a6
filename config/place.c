/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/place.h"

#include <stdio.h>
#include <string.h>

struct level { /* one object or list that is open */
	bool is_object;
	bool want_key; /* of an object: the next string is a key */
	struct place key;
	size_t idx; /* of a list: entries before this one */
};

struct scan {
	const char *p, *end;
	unsigned line, column;
	unsigned depth; /* open levels; may exceed PLACE_DEPTH */
	struct level level[PLACE_DEPTH + 1];
};

enum event { SCAN_END, SCAN_KEY, SCAN_VALUE, SCAN_CLOSE };

static void start(struct scan *s, const char *text, size_t len)
{
	*s = (struct scan){
		.p = text, .end = text + len, .line = 1, .column = 1
	};
}

static void step_char(struct scan *s)
{
	if (*s->p == '\n') {
		s->line++;
		s->column = 1;
	} else if (((unsigned char)*s->p & 0xc0) != 0x80) {
		s->column++;
	}
	s->p++;
}

static bool is_gap(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c)
{
	return is_gap(c) || c == ',' || c == ':' || c == ']' || c == '}';
}

/* Takes the token at p; p stands behind it afterwards. */
static void take(struct scan *s, struct place *tok)
{
	*tok = (struct place){ s->line, s->column, s->p, 0 };
	if (*s->p == '"') {
		step_char(s);
		while (s->p < s->end && *s->p != '"') {
			if (*s->p == '\\' && s->p + 1 < s->end)
				step_char(s);
			step_char(s);
		}
		if (s->p < s->end)
			step_char(s);
	} else if (strchr("{}[],:", *s->p) != NULL) {
		step_char(s);
	} else {
		while (s->p < s->end && !ends_word(*s->p))
			step_char(s);
	}
	tok->len = (size_t)(s->p - tok->text);
}

static struct level *top(struct scan *s)
{
	return s->depth == 0 || s->depth > PLACE_DEPTH + 1
		       ? NULL
		       : &s->level[s->depth - 1];
}

static void enter(struct scan *s, bool is_object)
{
	s->depth++;
	struct level *l = top(s);
	if (l != NULL)
		*l = (struct level){ .is_object = is_object,
				     .want_key = is_object };
}

/* Tells the next key, value or end of a container. */
static enum event next(struct scan *s, struct place *tok)
{
	for (;;) {
		while (s->p < s->end && is_gap(*s->p))
			step_char(s);
		if (s->p >= s->end)
			return SCAN_END;
		take(s, tok);
		struct level *l = top(s);
		char c = tok->text[0];

		if (c == ':')
			continue;
		if (c == ',') {
			if (l != NULL && l->is_object)
				l->want_key = true;
			else if (l != NULL)
				l->idx++;
			continue;
		}
		if (c == '}' || c == ']') {
			s->depth--;
			return SCAN_CLOSE;
		}
		if (l != NULL && l->is_object && l->want_key) {
			l->want_key = false;
			l->key = *tok;
			return SCAN_KEY;
		}
		if (c == '{' || c == '[')
			enter(s, c == '{');
		return SCAN_VALUE;
	}
}

static bool is_key(const struct place *tok, const char *key)
{
	size_t len = strlen(key);

	return tok->len == len + 2 && memcmp(tok->text + 1, key, len) == 0;
}

/* Whether the levels below `n` are those that the steps name. */
static bool on_path(struct scan *s, const struct place_step step[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct level *l = &s->level[i];

		if (l->is_object != (step[i].key != NULL))
			return false;
		if (l->is_object ? !is_key(&l->key, step[i].key)
				 : l->idx != step[i].idx)
			return false;
	}
	return true;
}

bool place_find(const char *text, size_t len, const struct place_step step[],
		unsigned n, struct place *key, struct place *value)
{
	struct scan s;
	struct place tok;
	enum event ev;
	bool found = false;

	if (n > PLACE_DEPTH)
		return false;
	start(&s, text, len);
	while ((ev = next(&s, &tok)) != SCAN_END) {
		/* A container has been entered when its value is told. */
		unsigned depth = s.depth;

		if (ev != SCAN_VALUE)
			continue;
		if (tok.text[0] == '{' || tok.text[0] == '[')
			depth--;
		if (depth != n || !on_path(&s, step, n))
			continue;
		found = true;
		*value = tok;
		*key = n > 0 && step[n - 1].key != NULL ? s.level[n - 1].key
							: tok;
	}
	return found;
}

static void path_of(const struct scan *s, char *path, size_t cap)
{
	size_t n = 0;

	path[0] = '\0';
	for (unsigned i = 0; i < s->depth && n < cap; i++) {
		const struct level *l = &s->level[i];

		if (l->is_object)
			n += (size_t)snprintf(
				path + n, cap - n, "%s%.*s", n > 0 ? "." : "",
				(int)l->key.len - 2, l->key.text + 1);
		else
			n += (size_t)snprintf(path + n, cap - n, "[%zu]",
					      l->idx);
	}
}

/* Looks on from behind a key for the same one in the same object. */
static bool again(struct scan s, const struct place *key, struct place *second)
{
	unsigned depth = s.depth;
	struct place tok;
	enum event ev;

	while ((ev = next(&s, &tok)) != SCAN_END) {
		if (ev == SCAN_CLOSE && s.depth < depth)
			return false;
		if (ev == SCAN_KEY && s.depth == depth && tok.len == key->len &&
		    memcmp(tok.text, key->text, tok.len) == 0) {
			*second = tok;
			return true;
		}
	}
	return false;
}

bool place_twice(const char *text, size_t len, struct place *first,
		 struct place *second, char *path, size_t cap)
{
	struct scan s;
	enum event ev;

	start(&s, text, len);
	while ((ev = next(&s, first)) != SCAN_END) {
		if (ev != SCAN_KEY || s.depth > PLACE_DEPTH ||
		    !again(s, first, second))
			continue;
		path_of(&s, path, cap);
		return true;
	}
	return false;
}

bool place_escaped(const char *text, size_t len, struct place *key)
{
	struct scan s;
	enum event ev;

	start(&s, text, len);
	while ((ev = next(&s, key)) != SCAN_END)
		if (ev == SCAN_KEY && memchr(key->text, '\\', key->len) != NULL)
			return true;
	return false;
}

bool place_too_deep(const char *text, size_t len, struct place *at)
{
	struct scan s;
	enum event ev;

	start(&s, text, len);
	while ((ev = next(&s, at)) != SCAN_END)
		if (ev == SCAN_VALUE && s.depth > PLACE_DEPTH)
			return true;
	return false;
}
