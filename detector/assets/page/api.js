// The OpenAPI document of the detector that this page is of in; its routes, each with a form to try it, out. Texts are set as
// text, never as markup.
(() => {
  const at = id => document.getElementById(id);
  const element = (kind, text, className) => {
    const made = document.createElement(kind);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  let document_ = {}, name = "";

  // A schema with the one that it refers to in its place, to a depth that people read.
  function resolved(schema, depth = 0) {
    if (Array.isArray(schema)) return schema.map(each => resolved(each, depth));
    if (typeof schema !== "object" || schema === null) return schema;
    if (schema.$ref) {
      const target = schema.$ref.split("/").slice(1).reduce((place, key) => place?.[key], document_);
      return depth > 6 ? schema.$ref : resolved(target, depth + 1);
    }
    return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, resolved(value, depth + 1)]));
  }

  const example = body => {
    const [kind, content] = Object.entries(body?.content ?? {})[0] ?? [];
    if (!kind) return null;
    const given = content.example ?? Object.values(content.examples ?? {})[0]?.value;
    return { kind, text: given === undefined ? "" : typeof given === "string" ? given : JSON.stringify(given), schema: content.schema };
  };

  function schemaOf(title, schema) {
    const part = element("details"), text = element("pre", JSON.stringify(resolved(schema), null, 1));
    text.tabIndex = 0;
    part.append(element("summary", title), text);
    return part;
  }

  function answers(operation) {
    const table = element("table"), body = element("tbody");
    for (const [status, answer] of Object.entries(operation.responses)) {
      const row = element("tr"), title = element("th", status);
      title.scope = "row";
      row.append(title, element("td", resolved(answer).description ?? ""));
      body.append(row);
    }
    const caption = element("caption", "Answers");
    table.append(caption, body);
    return table;
  }

  // A field a parameter; what a person leaves empty is left out.
  function fields(id, operation, shared, form) {
    const inputs = [];
    for (const parameter of [...(shared ?? []), ...(operation.parameters ?? [])].map(each => resolved(each))) {
      const line = element("label"), field = element("input");
      field.name = id + parameter.name;
      field.value = parameter.name === "model" ? name : parameter.example ?? "";
      line.append(element("span", `${parameter.name} (${parameter.in})`), field);
      if (parameter.description) line.append(element("span", parameter.description, "hint"));
      form.append(line);
      inputs.push({ parameter, field });
    }
    return inputs;
  }

  function route(path, method, operation, shared) {
    const id = method + path, part = element("details", undefined, "route"), form = element("form");
    const title = element("summary");
    title.append(element("span", method.toUpperCase(), "badge"), " ", element("code", path), " ", element("span", operation.summary ?? "", "hint"));
    part.append(title);
    if (operation.description) part.append(element("p", operation.description));
    const inputs = fields(id, operation, shared, form), body = example(resolved(operation.requestBody));
    let text = null;
    if (body) {
      const line = element("label");
      text = element("textarea");
      text.value = body.text;
      text.rows = 4;
      text.spellcheck = false;
      line.append(element("span", "body, " + body.kind), text);
      form.append(line);
      if (body.schema) part.append(schemaOf("Schema of the body", body.schema));
    }
    const button = element("button", "Send"), said = element("pre", "", "said");
    said.tabIndex = 0;
    said.setAttribute("role", "status");
    said.setAttribute("aria-label", "The answer");
    form.append(button);
    form.addEventListener("submit", async event => {
      event.preventDefault();
      let filled = path;
      const query = new URLSearchParams(), headers = {};
      for (const { parameter, field } of inputs) {
        if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, encodeURIComponent(field.value));
        else if (field.value !== "" && parameter.in === "query") query.set(parameter.name, field.value);
        else if (field.value !== "") headers[parameter.name] = field.value;
      }
      if (text) headers["Content-Type"] = body.kind;
      const began = performance.now();
      try {
        const answer = await fetch(".." + filled + (query.size ? "?" + query : ""), { method: method.toUpperCase(), headers, body: text?.value });
        const shown = (answer.headers.get("Content-Type") ?? "").startsWith("text/event-stream") ? "a stream without an end" : (await answer.text()).slice(0, 20000);
        said.textContent = `${answer.status} in ${Math.round(performance.now() - began)} ms\n${shown}`;
        said.dataset.status = answer.status;
      } catch (error) {
        said.textContent = error.message;
      }
    });
    part.append(answers(operation), form, said);
    return part;
  }

  async function begin() {
    const [index, openapi] = await Promise.all(["..", "../openapi.json"].map(path => fetch(path, { headers: { Accept: "application/json" } }).then(answer => answer.json())));
    name = index.name;
    document_ = openapi;
    at("title").textContent = document.title = name + ": routes";
    at("sentence").textContent = `${openapi.info.title}, OpenAPI ${openapi.openapi}`;
    const methods = ["get", "post", "put", "delete"];
    for (const [path, operations] of Object.entries(openapi.paths)) {
      for (const method of methods.filter(each => operations[each])) at("routes").append(route(path, method, operations[method], operations.parameters));
    }
    document.documentElement.dataset.ready = "yes";
  }
  begin().catch(error => { at("sentence").textContent = error.message; });
})();
