import { Dashboard } from './dashboard.js'

await new Dashboard().start()
