/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/cli/say.h"

#include <stdlib.h>
#include <string.h>

static bool is_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

int say_addr(struct cli *cli, const char *opt, const char *text,
	     char out[VX6_ADDR_TEXT])
{
	const char *port = text[0] == ':' ? text + 1 : text;
	const char *said = text;
	char local[VX6_ADDR_TEXT];
	struct vx6_addr a;

	if (is_digits(port) && strlen(port) < 8) {
		snprintf(local, sizeof(local), "127.0.0.1:%s", port);
		text = local;
	}
	if (vx6_addr_parse(&a, text) == VX6_OK) {
		vx6_addr_text(&a, out);
		return CLI_OK;
	}
	return cli_fail(cli, CLI_USAGE,
			"write 127.0.0.1:8080, [::1]:8080, or a port alone",
			"%s%s%s%s is no address with a port",
			opt == NULL ? "" : "--", opt == NULL ? "" : opt,
			opt == NULL ? "" : " ", said);
}

bool say_is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			return false;
	return true;
}

void say_clean(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
}

json_t *say_split(const char *list)
{
	json_t *out = json_array();

	for (;;) {
		size_t len = strcspn(list, ",");

		json_array_append_new(out, json_stringn(list, len));
		if (list[len] == '\0')
			return out;
		list += len + 1;
	}
}

int say_count(struct cli *cli, const char *opt, const char *text,
	      unsigned least, unsigned most, unsigned *out)
{
	unsigned long n = is_digits(text) && strlen(text) < 8
				  ? strtoul(text, NULL, 10)
				  : most + 1ul;

	if (n < least || n > most)
		return cli_fail(cli, CLI_USAGE, "",
				"--%s takes a number from %u to %u, not %s",
				opt, least, most, text);
	*out = (unsigned)n;
	return CLI_OK;
}

const char *say_string(json_t *v)
{
	const char *text = json_string_value(v);
	char *clean;

	if (text == NULL)
		return "";
	if (say_is_plain(text))
		return text;
	clean = strdup(text);
	if (clean == NULL)
		return "";
	say_clean(clean);
	if (json_string_set(v, clean) != 0)
		text = "";
	else
		text = json_string_value(v);
	free(clean);
	return text;
}

const char *say_text(const json_t *doc, const char *member)
{
	return say_string(json_object_get(doc, member));
}

const char *say_name(const json_t *doc, const char *member, const char *none)
{
	const char *text = say_text(doc, member);

	return text[0] == '\0' ? none : text;
}
