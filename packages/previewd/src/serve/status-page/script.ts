/**
 * Keeps the page up to date and turns it into the preview. Updates bring escaped HTML made by the same code as the
 * first one; elements that stay the same are left alone, so that animations go on. Without an event stream it polls.
 * A server that never answers its reload would leave it standing: after a while, longer each time, it listens again.
 */
export const SCRIPT = `
const main=document.querySelector('main'),live=document.querySelector('.sr'),url=document.body.dataset.status
let leaving=false,patience=4000,missed
function sync(from,to){
  for(const name of from.getAttributeNames())if(!to.hasAttribute(name))from.removeAttribute(name)
  for(const name of to.getAttributeNames())if(from.getAttribute(name)!==to.getAttribute(name))from.setAttribute(name,to.getAttribute(name))
  const old=[...from.childNodes],fresh=[...to.childNodes]
  fresh.forEach((node,i)=>{
    const was=old[i]
    if(!was)from.append(node)
    else if(was.nodeName!==node.nodeName)was.replaceWith(node)
    else if(node.nodeType===1)sync(was,node)
    else if(was.nodeValue!==node.nodeValue)was.nodeValue=node.nodeValue
  })
  for(const node of old.slice(fresh.length))node.remove()
}
function show(update){
  if(leaving){missed=update;return}
  if(update.ready)return leave()
  document.title=update.title
  if(live.textContent!==update.heading)live.textContent=update.heading
  sync(main,new DOMParser().parseFromString(update.html,'text/html').querySelector('main'))
}
function leave(){
  leaving=true
  missed=undefined
  location.reload()
  setTimeout(()=>{
    leaving=false
    patience*=2
    if(missed)show(missed)
  },patience)
}
function poll(){
  fetch(url,{headers:{accept:'application/json'}}).then(answer=>answer.json()).then(show).catch(()=>undefined).then(()=>setTimeout(poll,2000))
}
const source=new EventSource(url)
source.onmessage=event=>show(JSON.parse(event.data))
source.onerror=()=>{if(source.readyState===2)poll()}
`
