import { lazy } from 'react'
import { Route, Routes } from 'react-router'
import { Layout } from './components/Layout.tsx'
import { Home } from './pages/Home.tsx'
import { NotFound } from './pages/NotFound.tsx'

const Features = lazy(() => import('./pages/Features.tsx'))
const Pricing = lazy(() => import('./pages/Pricing.tsx'))
const Story = lazy(() => import('./pages/Story.tsx'))

export function App() {
  return (
    <Routes>
      <Route element={<Layout />}>
        <Route index element={<Home />} />
        <Route path="features" element={<Features />} />
        <Route path="story" element={<Story />} />
        <Route path="pricing" element={<Pricing />} />
        <Route path="*" element={<NotFound />} />
      </Route>
    </Routes>
  )
}
