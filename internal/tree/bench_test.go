package tree

import (
	"fmt"
	"testing"
)

// BenchmarkResolve reads and resolves a namespace of 30 documents in two layers, as a cold pass does.
func BenchmarkResolve(b *testing.B) {
	f := files{}
	for i := range 20 {
		f[fmt.Sprintf("/base/k%d.yaml", i)] = config("base")
	}
	for i := range 10 {
		f[fmt.Sprintf("/production/k%d.yaml", i)] = document("Config", "merge: deep", "value: near")
	}
	fsys := f.fs()
	b.ReportAllocs()
	for b.Loop() {
		tr, _ := Load(fsys)
		if r := tr.Resolve(chat.In("production")); len(r.Entries) != 20 {
			b.Fatal(r.Findings)
		}
	}
}

// BenchmarkResolveCached does the same with the documents parsed already.
func BenchmarkResolveCached(b *testing.B) {
	f := files{}
	for i := range 20 {
		f[fmt.Sprintf("/base/k%d.yaml", i)] = config("base")
	}
	tr, _ := Load(f.fs())
	b.ReportAllocs()
	for b.Loop() {
		if r := tr.Resolve(chat.In("production")); len(r.Entries) != 20 {
			b.Fatal(r.Findings)
		}
	}
}
