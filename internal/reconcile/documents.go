package reconcile

// DocumentsSchema names the form of Documents as JSON.
const DocumentsSchema = "lcm.repositories/v1"

// Documents tell of several repositories, by name, what is otherwise told of one: a pass, a plan or a status.
type Documents struct {
	Schema       string            `json:"schema"`
	Repositories map[string]any    `json:"repositories"` // each in the form that it has for one
	Errors       map[string]string `json:"errors"`       // of those of which nothing can be told, why not
}

// NewDocuments returns documents of no repository.
func NewDocuments() *Documents {
	return &Documents{Schema: DocumentsSchema, Repositories: map[string]any{}, Errors: map[string]string{}}
}

// Add adds what is told of a repository, or why nothing is.
func (d *Documents) Add(repository string, document any, err error) {
	if err != nil {
		d.Errors[repository] = err.Error()
		return
	}
	d.Repositories[repository] = document
}
