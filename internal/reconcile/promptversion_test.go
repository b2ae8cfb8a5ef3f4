package reconcile

import "testing"

// A prompt that changes and keeps its version is held against what is served, until it is mended; a revert never is.
func TestPromptVersions(t *testing.T) {
	const file = "namespaces/acme/p/s/production/greet.prompt"
	prompt := func(version, text string) map[string]string {
		return map[string]string{file: "---\nlcm.version: " + version + "\nlcm.owner: platform\n---\n" + text + "\n"}
	}
	w := newWorld(t, prompt("1.0.0", "Hello."))
	const key, held = "acme/p/s/production/greet", "held acme/p/s/production "
	w.expect(w.pass(Options{}), "create "+key+" v1")
	w.commit("same version", prompt("1.0.0", "Good day."))
	w.expect(w.pass(Options{}), held+"prompt/version-same")
	w.stop()
	w.start()
	w.commit("something else", map[string]string{"namespaces/acme/p/s/production/other.yaml": config("1")})
	w.expect(w.pass(Options{}), held+"prompt/version-same")
	w.commit("mended", prompt("1.0.1", "Good day."))
	w.expect(w.pass(Options{}), "update "+key+" v3; create acme/p/s/production/other v1")
	w.commit("back", prompt("1.0.0", "Hello."))
	w.expect(w.pass(Options{}), "update "+key+" v4")
	w.commit("back to nothing", prompt("0.9.0", "Hi."))
	w.expect(w.pass(Options{}), held+"prompt/version-back")
	// What was held is history too, but never was 1.0.0's content where it counts.
	w.commit("required", map[string]string{file: "---\nlcm.version: 1.1.0\nlcm.owner: platform\ninput: {schema: {name: string}}\n---\nHello {{name}}.\n"})
	w.expect(w.pass(Options{}), held+"prompt/version-step")
}
